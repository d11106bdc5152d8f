import { hash } from "node:crypto";
import { withDeadline } from "../../resilience/deadline.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import { describeError, emit } from "../emit.ts";
import type { KeyContext } from "./key-source.ts";

/** A set as it was fetched: what a restart during an outage begins with. */
export interface SavedKeySet {
  readonly url: string;
  /** Epoch ms. */
  readonly fetchedAt: number;
  /** `null`: they were declared compromised, and no set was fetched since. */
  readonly jwks: unknown;
}

/** A disk that hangs must not hold up what the network could answer. */
const LOAD_TIMEOUT_MS = 1_000;
/** … nor a process that ends. */
const FLUSH_TIMEOUT_MS = 1_000;

/** The last good set of one issuer, over restarts. */
export class KeySnapshot {
  readonly #context: KeyContext;
  readonly #name: string;
  readonly #writes = new SingleFlight<"write", void>();
  #latest: SavedKeySet | undefined;

  constructor(context: KeyContext) {
    this.#context = context;
    this.#name = `keys-${hash("sha256", context.issuer, "hex")}`;
  }

  /** `null` where there is none, none that can be read in time, or `signal` aborts. Never rejects. */
  async load(signal: AbortSignal): Promise<SavedKeySet | null> {
    const { clock, snapshots } = this.#context;
    if (snapshots === undefined) return null;
    try {
      const load = async () => await snapshots.load(this.#name);
      const saved = await withDeadline(clock, "loading the key set", LOAD_TIMEOUT_MS, load, signal);
      return isSavedKeySet(saved) ? saved : null;
    } catch (error) {
      if (!signal.aborted)
        emit(this.#context, "snapshot_failed", `loading the key set: ${describeError(error)}`);
      return null;
    }
  }

  /** One after the other, and the latest last. Never rejects. */
  async save(set: SavedKeySet): Promise<void> {
    const { snapshots } = this.#context;
    if (snapshots === undefined) return;
    this.#latest = set;
    await this.#writes.run("write", async () => {
      for (let written: SavedKeySet | undefined; written !== this.#latest;) {
        written = this.#latest;
        try {
          await snapshots.save(this.#name, written);
        } catch (error) {
          emit(this.#context, "snapshot_failed", `saving the key set: ${describeError(error)}`);
        }
      }
    });
  }

  /** Resolves when nothing is being saved, or has taken too long. Never rejects. */
  async flush(): Promise<void> {
    const writing = this.#writes.inFlight("write");
    if (writing === undefined) return;
    try {
      await withDeadline(this.#context.clock, "the disk", FLUSH_TIMEOUT_MS, async () => await writing);
    } catch (error) {
      emit(this.#context, "snapshot_failed", `saving the key set: ${describeError(error)}`);
    }
  }
}

function isSavedKeySet(value: unknown): value is SavedKeySet {
  const { url, fetchedAt, jwks } = Object(value) as { [name in keyof SavedKeySet]?: unknown };
  return typeof url === "string" && typeof fetchedAt === "number" && jwks !== undefined;
}
