import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { fileExists } from "../server/store/private-file.ts";
import type { SqliteFacts, SqliteMessage } from "./sqlite-process.ts";
import type { StoreProbe } from "./store-probe.ts";
import { startedModule } from "../core/package-files.ts";

/** The facts about a data file. A part that did not arrive in time is `null`. */
export interface SqliteReading {
  readonly facts: SqliteFacts | null;
  /** `ok`, or the first damage. */
  readonly checked: string | null;
  readonly failed: Extract<SqliteMessage, { kind: "failed" }> | null;
}

const TIMEOUT_MS = 4000;

/** Reads the data file of the embedded store in a child process. */
export class SqliteProbe implements StoreProbe {
  readonly #file: string;
  #reading: Promise<SqliteReading | null> | null = null;

  constructor(file: string) {
    this.#file = file;
  }

  /** `null` without a file. Never rejects, and ends within four seconds. */
  async read(): Promise<SqliteReading | null> {
    this.#reading ??= fileExists(this.#file).then(async (exists) =>
      exists ? await readInChild(this.#file) : null,
    );
    return await this.#reading;
  }

  async markers(): Promise<ReadonlyMap<string, string> | null> {
    const facts = (await this.read())?.facts;
    return facts == null ? null : new Map(facts.markers);
  }
}

async function readInChild(file: string): Promise<SqliteReading> {
  const module = fileURLToPath(startedModule("doctor/sqlite-process"));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", module], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    env: {},
  });
  const reading: { -readonly [Name in keyof SqliteReading]: SqliteReading[Name] } = {
    facts: null,
    checked: null,
    failed: null,
  };
  child.on("message", (sent) => {
    const message = sent as SqliteMessage;
    if (message.kind === "facts") reading.facts = message;
    else if (message.kind === "checked") reading.checked = message.result;
    else reading.failed = message;
  });
  const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
  const late = setTimeout(() => {
    child.kill("SIGKILL");
    // A process that waits for a dead file system cannot be killed, and must not keep this one.
    child.channel?.unref();
    child.unref();
    settle();
  }, TIMEOUT_MS);
  // The last message has arrived when the channel is closed.
  child.once("disconnect", settle).once("error", () => settle());
  child.send(file);
  await settled;
  clearTimeout(late);
  return reading;
}
