import { hash } from "node:crypto";
import { withDeadline } from "../../resilience/deadline.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import { describeError, emit } from "../emit.ts";
import type { KeyContext } from "./key-source.ts";

/** A saved key set. A guard that restarts during an outage begins with it. */
export interface SavedKeySet {
  readonly url: string;
  /** Epoch milliseconds. */
  readonly fetchedAt: number;
  /** `null` when the keys were declared compromised and no set has been fetched since. */
  readonly jwks: unknown;
}

/** Slow storage must not delay the fetch over the network. */
const LOAD_TIMEOUT_MS = 1_000;
/** Slow storage must not delay the exit of the process. */
const FLUSH_TIMEOUT_MS = 1_000;

/** Keeps the last good key set of one issuer across restarts. */
export class KeySnapshot {
  readonly #context: KeyContext;
  readonly #name: string;
  readonly #writes = new SingleFlight<"write", void>();
  #latest: SavedKeySet | undefined;

  constructor(context: KeyContext) {
    this.#context = context;
    const { issuer, part = 0 } = context;
    const source = part === 0 ? issuer : `${issuer}\n${part}`;
    this.#name = `keys-${hash("sha256", source, "hex")}`;
  }

  /** Never rejects. The result is `null` when no set was saved, when it cannot be read in time, or when `signal` aborts. */
  async load(signal: AbortSignal): Promise<SavedKeySet | null> {
    const { clock, snapshots } = this.#context;
    if (snapshots === undefined) return null;
    try {
      const load = async () => await snapshots.load(this.#name);
      const saved = await withDeadline(clock, "the snapshot storage", LOAD_TIMEOUT_MS, load, signal);
      return isSavedKeySet(saved) ? saved : null;
    } catch (error) {
      if (!signal.aborted) this.#emitFailure("loading", error);
      return null;
    }
  }

  /** Writes one set at a time, and the latest set last. Never rejects. */
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
          this.#emitFailure("saving", error);
        }
      }
    });
  }

  /** Waits for the write in flight, at most a second. Never rejects. */
  async flush(): Promise<void> {
    const write = this.#writes.inFlight("write");
    if (write === undefined) return;
    try {
      await withDeadline(
        this.#context.clock,
        "the snapshot storage",
        FLUSH_TIMEOUT_MS,
        async () => await write,
      );
    } catch (error) {
      this.#emitFailure("saving", error);
    }
  }

  #emitFailure(action: "loading" | "saving", error: unknown): void {
    emit(this.#context, "snapshot_failed", `${action} the key set: ${describeError(error)}`);
  }
}

function isSavedKeySet(value: unknown): value is SavedKeySet {
  const { url, fetchedAt, jwks } = Object(value) as { [name in keyof SavedKeySet]?: unknown };
  return typeof url === "string" && typeof fetchedAt === "number" && jwks !== undefined;
}
