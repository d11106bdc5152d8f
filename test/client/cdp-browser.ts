import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { waitUntil, within } from "../support/deadline.ts";

const MAX_WAIT_MS = 60_000;
/** A page that answers at all answers within this time. */
const ANSWER_MS = 1_000;

type Params = Readonly<Record<string, unknown>>;

/** A tab of a Chromium that only the DevTools protocol drives. Playwright keeps tabs active, and switches its cache off. */
export interface RawTab {
  /** Sends a command of the DevTools protocol. */
  send(method: string, params?: Params): Promise<Params>;
  /** Evaluates an expression, waits for its promise, and returns its value. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until an expression is true. A navigation in the meantime is no error. */
  until(expression: string): Promise<void>;
  /** Shows the tab, which hides the one before. */
  activate(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly result?: Params;
  readonly error?: { readonly message: string };
}

/** One connection to the browser, for all of its tabs. */
class Connection {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #lastId = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
    });
  }

  async send(method: string, params: Params, sessionId?: string): Promise<Params> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await within(promise, MAX_WAIT_MS, method);
    this.#waiting.delete(id);
    if (result === undefined) throw new Error(`${method}: ${error?.message}`);
    return result;
  }
}

async function readAddress(child: ChildProcess): Promise<string> {
  for await (const line of createInterface(child.stderr as Readable)) {
    const address = /ws:\/\/\S+/.exec(line)?.[0];
    if (address !== undefined) return address;
  }
  throw new Error("Chromium ended before it told its address.");
}

async function openTab(connection: Connection, url: string): Promise<RawTab> {
  const { targetId } = await connection.send("Target.createTarget", { url });
  const attached = await connection.send("Target.attachToTarget", { targetId, flatten: true });
  const sessionId = String(attached["sessionId"]);
  const send: RawTab["send"] = async (method, params = {}) =>
    await connection.send(method, params, sessionId);
  const tab: RawTab = {
    send,
    async evaluate<T>(expression: string) {
      const given = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = (await send("Runtime.evaluate", given)) as {
        result: { value: T };
        exceptionDetails?: { exception?: { description?: string } };
      };
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? expression);
      return result.value;
    },
    async until(expression) {
      const isTrue = async () => {
        try {
          // A page that goes into the cache in the meantime never answers.
          return (await within(tab.evaluate(expression), ANSWER_MS, expression)) === true;
        } catch {
          return false;
        }
      };
      await waitUntil(isTrue, `the page to have ${expression}`, MAX_WAIT_MS);
    },
    activate: async () => void (await connection.send("Target.activateTarget", { targetId })),
  };
  await tab.until(`document.readyState === "complete" && location.href !== "about:blank"`);
  return tab;
}

/** Starts Chromium with a profile of its own. The end of the test closes it. Returns the function that opens a tab. */
export async function startRawChromium(t: TestContext): Promise<(url: string) => Promise<RawTab>> {
  const executable = spawnSync("which", ["chromium"], { encoding: "utf8" }).stdout.trim();
  const profile = mkdtempSync(join(tmpdir(), "holdfast-chromium-"));
  const quiet = ["gpu", "quic", "background-networking", "component-update", "sync"].map(
    (what) => `--disable-${what}`,
  );
  const switches = ["--headless", "--no-sandbox", "--no-first-run", "--remote-debugging-port=0"];
  const child = spawn(executable, [...switches, ...quiet, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const socket = new WebSocket(await readAddress(child));
  await once(socket, "open");
  const connection = new Connection(socket);
  t.after(async () => {
    const exited = once(child, "exit");
    // A Chromium with pages in its cache does not always answer a request to close.
    child.kill("SIGKILL");
    await exited;
    socket.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  return async (url) => await openTab(connection, url);
}
