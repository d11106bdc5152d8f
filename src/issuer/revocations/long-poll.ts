import type { LogPosition } from "../../core/revocation.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import type { RevocationTail } from "../../stores/store.ts";
import type { IssuerBase } from "../issuer-base.ts";

/** How often waiting requests read the log for entries that other processes appended. */
const POLL_INTERVAL_MS = 250;
/** Requests that may wait at once. Further requests are answered without waiting. */
const MAX_WAITERS = 1_000;

/** The time between two reads of the log. */
interface PollRound {
  readonly ended: Promise<void>;
  readonly end: () => void;
}

/** Lets requests wait for the next entry of the revocation log. All requests share one timer and one read in a round. */
export class LongPoll {
  readonly #base: IssuerBase;
  readonly #reads = new SingleFlight<string, RevocationTail>();
  /** Ends when this process appends an entry, or when it is time to read the entries of other processes. */
  #round: PollRound | null = null;
  #unsubscribe: (() => void) | null = null;
  #waiters = 0;
  #closed = false;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** Resolves with the tail after `position` as soon as it has an entry, and after about `waitMs` at the latest. */
  async readTail(
    position: LogPosition,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<RevocationTail> {
    const { clock, store } = this.#base;
    const { epoch, seq, chain } = position;
    const flightKey = JSON.stringify([epoch, seq, chain]);
    const until = this.#waiters < MAX_WAITERS ? clock.monotonic() + waitMs : -Infinity;
    this.#waiters++;
    try {
      for (;;) {
        // Taken before the read, so that an entry appended during the read ends this round.
        const { ended } = this.#currentRound();
        const tail = await this.#reads.run(flightKey, async () => await store.revocations.after(position));
        const hasEntries = tail.status === "gap" || tail.entries.length > 0;
        if (hasEntries || clock.monotonic() >= until || this.#closed || signal?.aborted === true) return tail;
        await ended;
      }
    } finally {
      this.#waiters--;
    }
  }

  /** Answers every waiting request. Later requests do not wait. */
  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
    this.#round?.end();
  }

  #currentRound(): PollRound {
    this.#unsubscribe ??= this.#base.store.revocations.subscribe(() => this.#round?.end());
    if (this.#round !== null) return this.#round;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const end = () => {
      stop();
      // After `close()` the ended round stays in place, so that no request starts a timer again.
      if (!this.#closed) this.#round = null;
      resolve();
    };
    const stop = this.#base.clock.after(POLL_INTERVAL_MS, end);
    return (this.#round = { ended, end });
  }
}
