import { type Entropy, systemEntropy } from "../../core/entropy.ts";
import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { Store } from "../../stores/store.ts";
import { readFailureReason } from "./failure-reason.ts";

/** The marker that the probes of all processes write. */
const MARKER = "health-probe";
/** At most one write in this time, however often health is asked. */
const INTERVAL_MS = 1000;
/** An orchestrator commonly waits a second for a probe. So the answer comes sooner, and names a write under way. */
const ANSWER_WITHIN_MS = 400;
/** An older success proves nothing about a store that does not answer the probe under way. */
const PROVEN_MS = 3_000;
/** A store that sets no deadlines may never answer. */
const DEADLINE_MS = 10_000;

export interface ProbeFailure {
  readonly reason: string;
  readonly message: string;
}

export interface ProbeResult {
  /** The last failure. It stands until a probe succeeds. */
  readonly failure: ProbeFailure | null;
  /** How long the probe under way has waited, in milliseconds. 0 when none waits. */
  readonly waitingMs: number;
  /** Whether a probe has succeeded a short time ago. */
  readonly isProven: boolean;
  /** When the last successful probe began, epoch milliseconds. `null` when none succeeded. */
  readonly succeededAt: number | null;
}

type ProbeKind = "write" | "read";

/**
 * Checks a store by a small durable write, because a store may be readable although every login fails. It reads between
 * two writes, and a process that never writes only reads.
 */
export class StoreProbe {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #kind: ProbeKind;
  readonly #entropy: Entropy;
  #running: { readonly since: Instant; readonly done: Promise<void> } | null = null;
  #lastWrite: Instant | null = null;
  #failure: (ProbeFailure & { readonly of: ProbeKind }) | null = null;
  #succeeded: Instant | null = null;

  constructor(store: Store, clock: Clock, kind: ProbeKind, entropy: Entropy = systemEntropy) {
    this.#entropy = entropy;
    this.#store = store;
    this.#clock = clock;
    this.#kind = kind;
  }

  /** Starts a probe unless one is under way, and waits a short time for the result. Never rejects. */
  async check(): Promise<ProbeResult> {
    if (this.#running === null) {
      const isDue = this.#lastWrite === null || elapsedMs(this.#clock, this.#lastWrite) >= INTERVAL_MS;
      this.#start(isDue ? this.#kind : "read");
    }
    const running = this.#running;
    if (running !== null) {
      const { promise: pause, resolve } = Promise.withResolvers<void>();
      const stop = this.#clock.after(ANSWER_WITHIN_MS, resolve, true);
      await Promise.race([running.done, pause]);
      stop();
    }
    const waitingMs = this.#running === null ? 0 : elapsedMs(this.#clock, this.#running.since);
    const last = this.#succeeded;
    const isProven = last !== null && elapsedMs(this.#clock, last) < PROVEN_MS;
    return { failure: this.#failure, waitingMs, isProven, succeededAt: last?.wall ?? null };
  }

  #start(kind: ProbeKind): void {
    const since = readClock(this.#clock);
    if (kind === "write") this.#lastWrite = since;
    this.#running = { since, done: this.#run(kind, since) };
  }

  async #run(kind: ProbeKind, since: Instant): Promise<void> {
    try {
      await withDeadline(this.#clock, "the store", DEADLINE_MS, async () => {
        if (kind === "write") await writeMarker(this.#store, this.#entropy);
        else await this.#store.now();
      });
      // A read says nothing about writes.
      if (kind === "write" || this.#failure?.of === "read") this.#failure = null;
      if (kind === this.#kind) this.#succeeded = since;
    } catch (error) {
      // A write that has failed tells more than the reads after it.
      if (kind === "write" || this.#failure?.of !== "write") {
        const reason = readFailureReason(error, this.#store.description);
        this.#failure = { of: kind, reason, message: error instanceof Error ? error.message : "failed" };
      }
    }
    this.#running = null;
  }
}

async function writeMarker({ markers }: Store, entropy: Entropy): Promise<void> {
  const value = entropy.bytes(6).toString("base64url");
  const previous = await markers.read(MARKER);
  if (previous === null) await markers.claim(MARKER, value);
  // Another process that has replaced it since the read proves as well that the store takes writes.
  else await markers.replace(MARKER, previous, value);
}
