import type { LogPosition } from "../../core/revocation.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import type { RevocationTail } from "../../stores/store.ts";
import type { IssuerBase } from "../issuer-base.ts";

/** How often the log is looked at for what other processes appended, while somebody waits for it. */
const POLL_INTERVAL_MS = 250;
/** How many may wait at once; the others are answered without waiting. */
const MAX_WAITERS = 1_000;

interface PollRound {
  readonly ended: Promise<void>;
  readonly end: () => void;
}

/** The revocation log for those who wait for its next entry. Together they cost one timer and one read a turn. */
export class LongPoll {
  readonly #base: IssuerBase;
  readonly #reads = new SingleFlight<string, RevocationTail>();
  /** Ends with the next news of this process, or in time to look for others'. */
  #round: PollRound | null = null;
  #unsubscribe: (() => void) | null = null;
  #waiters = 0;
  #closed = false;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** The tail after `position`, as soon as it is not empty, and at the latest after about `waitMs`. */
  async readTail(
    position: LogPosition,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<RevocationTail> {
    const { clock, store } = this.#base;
    const { epoch, seq, chain } = position;
    const name = JSON.stringify([epoch, seq, chain]);
    const until = this.#waiters < MAX_WAITERS ? clock.monotonic() + waitMs : -Infinity;
    this.#waiters++;
    try {
      for (;;) {
        // Before the read, so that nothing falls between the two.
        const { ended } = this.#currentRound();
        const tail = await this.#reads.run(name, async () => await store.revocations.after(position));
        const hasEntries = tail.status === "gap" || tail.entries.length > 0;
        if (hasEntries || clock.monotonic() >= until || this.#closed || signal?.aborted === true) return tail;
        await ended;
      }
    } finally {
      this.#waiters--;
    }
  }

  /** Nobody waits any longer. */
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
      // After closing, the last turn stays over.
      if (!this.#closed) this.#round = null;
      resolve();
    };
    const stop = this.#base.clock.after(POLL_INTERVAL_MS, end);
    return (this.#round = { ended, end });
  }
}
