import { hash } from "node:crypto";
import { withDeadline } from "../../resilience/deadline.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import { describe, report } from "../report.ts";
import type { KeyContext } from "./key-source.ts";

/** A set as it was fetched: what a restart during an outage begins with. */
export interface SavedSet {
  readonly url: string;
  /** Epoch ms. */
  readonly fetchedAt: number;
  /** `null`: they were declared compromised, and no set was fetched since. */
  readonly jwks: unknown;
}

/** A disk that hangs must not hold up what the network could answer. */
const LOAD_TIMEOUT_MS = 1_000;
/** … nor a process that ends. */
const WRITTEN_TIMEOUT_MS = 1_000;

/** The last good set of one issuer, over restarts. */
export class KeySnapshot {
  readonly #context: KeyContext;
  readonly #name: string;
  readonly #writing = new SingleFlight<"write", void>();
  #wanted: SavedSet | undefined;

  constructor(context: KeyContext) {
    this.#context = context;
    this.#name = `keys-${hash("sha256", context.issuer, "hex")}`;
  }

  /** `null` where there is none, none that can be read in time, or `signal` aborts. Never rejects. */
  async load(signal: AbortSignal): Promise<SavedSet | null> {
    const { clock, snapshots } = this.#context;
    if (snapshots === undefined) return null;
    try {
      const load = async () => await snapshots.load(this.#name);
      const saved = await withDeadline(clock, "loading the key set", LOAD_TIMEOUT_MS, load, signal);
      return isSavedSet(saved) ? saved : null;
    } catch (error) {
      if (!signal.aborted)
        report(this.#context, "snapshot_failed", `loading the key set: ${describe(error)}`);
      return null;
    }
  }

  /** One after the other, and the latest last. Never rejects. */
  async save(set: SavedSet): Promise<void> {
    const { snapshots } = this.#context;
    if (snapshots === undefined) return;
    this.#wanted = set;
    await this.#writing.run("write", async () => {
      for (let written: SavedSet | undefined; written !== this.#wanted;) {
        written = this.#wanted;
        try {
          await snapshots.save(this.#name, written);
        } catch (error) {
          report(this.#context, "snapshot_failed", `saving the key set: ${describe(error)}`);
        }
      }
    });
  }

  /** Resolves when nothing is being saved, or has taken too long. Never rejects. */
  async written(): Promise<void> {
    const writing = this.#writing.flying("write");
    if (writing === undefined) return;
    try {
      await withDeadline(this.#context.clock, "the disk", WRITTEN_TIMEOUT_MS, async () => await writing);
    } catch (error) {
      report(this.#context, "snapshot_failed", `saving the key set: ${describe(error)}`);
    }
  }
}

function isSavedSet(value: unknown): value is SavedSet {
  const { url, fetchedAt, jwks } = Object(value) as { [name in keyof SavedSet]?: unknown };
  return typeof url === "string" && typeof fetchedAt === "number" && jwks !== undefined;
}
