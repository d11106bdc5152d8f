import type { LogPosition } from "../core/revocation.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import type { RevocationTail } from "../stores/contracts.ts";
import type { Foundation } from "./foundation.ts";

/** How often the log is looked at for what other processes appended, while somebody waits for it. */
const LOOK_EVERY_MS = 250;
/** How many may wait at once; the others are answered without waiting. */
const MAX_WAITING = 1_000;

interface Turn {
  readonly over: Promise<void>;
  readonly end: () => void;
}

/** The revocation log for those who wait for its next entry. Together they cost one timer and one read a turn. */
export class LogWatch {
  readonly #base: Foundation;
  readonly #reads = new SingleFlight<string, RevocationTail>();
  /** Ends with the next news of this process, or in time to look for others'. */
  #turn: Turn | null = null;
  #unsubscribe: (() => void) | null = null;
  #waiting = 0;
  #closed = false;

  constructor(base: Foundation) {
    this.#base = base;
  }

  /** The tail after `position`, as soon as it is not empty, and at the latest after about `waitMs`. */
  async tail(
    position: LogPosition,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<RevocationTail> {
    const { clock, store } = this.#base;
    const { epoch, seq, chain } = position;
    const name = JSON.stringify([epoch, seq, chain]);
    const until = this.#waiting < MAX_WAITING ? clock.monotonic() + waitMs : -Infinity;
    this.#waiting++;
    try {
      for (;;) {
        // Before the read, so that nothing falls between the two.
        const { over } = this.#nextTurn();
        const tail = await this.#reads.run(name, async () => await store.revocations.after(position));
        const news = tail.status === "gap" || tail.entries.length > 0;
        if (news || clock.monotonic() >= until || this.#closed || signal?.aborted === true) return tail;
        await over;
      }
    } finally {
      this.#waiting--;
    }
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
    this.#turn?.end();
  }

  #nextTurn(): Turn {
    this.#unsubscribe ??= this.#base.store.revocations.subscribe(() => this.#turn?.end());
    if (this.#turn !== null) return this.#turn;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const end = () => {
      stop();
      // After closing, the last turn stays over.
      if (!this.#closed) this.#turn = null;
      resolve();
    };
    const stop = this.#base.clock.after(LOOK_EVERY_MS, end);
    return (this.#turn = { over, end });
  }
}
