import { isHoldfastError } from "../../core/errors.ts";
import type { HmacKey } from "../../core/hmac.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { AttemptTotal } from "../../stores/attempt-store.ts";
import type { IssuerBase } from "../issuer-base.ts";

/** Writes of one process begin at least this far apart, so that a flood costs the store a few writes a second. */
const WRITE_INTERVAL_MS = 250;
/** The pause after a write that failed. */
const FAILURE_PAUSE_MS = 5000;
const DEADLINE_MS = 5000;
/** Counts in one write. */
const MAX_BATCH = 100;
/** Counts that wait for a write. In a flood of more keys, further ones count in their process only. */
const MAX_PENDING = 1000;

/** Takes the total of all processes. It includes the attempts of this process that wait for a write. */
type Receive = (total: AttemptTotal) => void;

interface Pending {
  count: number;
  readonly windowMs: number;
  receive: Receive;
}

/**
 * Counts attempts in the store, together with the other processes. It writes in the background, so no login waits for
 * it. Without an answer of the store, each process counts by itself. Attempts of a write that failed are not written
 * again, because the store may have counted them.
 */
export class SharedAttempts {
  readonly #base: Pick<IssuerBase, "store" | "clock" | "emit">;
  readonly #digestKey: HmacKey;
  #pending = new Map<string, Pending>();
  #nextWriteAt = 0;
  #isWriting = false;
  #cancelTimer: (() => void) | null = null;
  #isClosed = false;
  #isFailureReported = false;

  constructor(base: Pick<IssuerBase, "store" | "clock" | "emit" | "secrets">) {
    this.#base = base;
    this.#digestKey = base.secrets[0].attemptDigest;
  }

  /** Adds `count` to what `name` names. With a `count` of 0, asks for the total only. Returns at once. */
  add(name: string, count: number, windowMs: number, receive: Receive): void {
    if (this.#isClosed || this.#base.store.attempts === undefined) return;
    const key = this.#digestKey.digest(name).toString("base64url");
    const pending = this.#pending.get(key);
    if (pending !== undefined) {
      pending.count += count;
      pending.receive = receive;
    } else if (this.#pending.size < (count === 0 ? MAX_BATCH : MAX_PENDING)) {
      this.#pending.set(key, { count, windowMs, receive });
    }
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#pending.clear();
  }

  #schedule(): void {
    if (this.#isClosed || this.#isWriting || this.#cancelTimer !== null || this.#pending.size === 0) return;
    const { clock } = this.#base;
    const waitMs = this.#nextWriteAt - clock.monotonic();
    if (waitMs <= 0) {
      void this.#write();
      return;
    }
    this.#cancelTimer = clock.after(waitMs, () => {
      this.#cancelTimer = null;
      void this.#write();
    });
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    const { clock } = this.#base;
    this.#isWriting = true;
    // One attempt adds to several counts, which belong to one write.
    await Promise.resolve();
    const batch = [...this.#pending].slice(0, MAX_BATCH);
    for (const [key] of batch) this.#pending.delete(key);
    this.#nextWriteAt = clock.monotonic() + WRITE_INTERVAL_MS;
    try {
      const deltas = batch.map(([key, { count, windowMs }]) => ({ key, count, windowMs }));
      const totals = await withDeadline(clock, "the store's attempts.add()", DEADLINE_MS, async () => {
        return await this.#base.store.attempts?.add(deltas);
      });
      this.#isFailureReported = false;
      for (const [i, [key, { receive }]] of batch.entries()) this.#deliver(key, receive, totals?.[i]);
    } catch (error) {
      this.#nextWriteAt = clock.monotonic() + FAILURE_PAUSE_MS;
      this.#report(error);
      // Taking attempts back twice is harmless, because no count falls below 0.
      for (const [key, { count, windowMs, receive }] of batch)
        if (count < 0) this.#retry(key, count, windowMs, receive);
    } finally {
      this.#isWriting = false;
      this.#schedule();
    }
  }

  /** A malformed total is not used. */
  #deliver(key: string, receive: Receive, total: AttemptTotal | undefined): void {
    if (total === undefined || !Number.isFinite(total.count) || !(total.endsInMs > 0)) return;
    const waiting = this.#pending.get(key)?.count ?? 0;
    receive({ count: Math.max(0, total.count + waiting), endsInMs: total.endsInMs });
  }

  #retry(key: string, count: number, windowMs: number, receive: Receive): void {
    const pending = this.#pending.get(key);
    if (pending !== undefined) pending.count += count;
    else if (this.#pending.size < MAX_PENDING) this.#pending.set(key, { count, windowMs, receive });
  }

  /** Reports the first failure after a success. */
  #report(error: unknown): void {
    if (this.#isClosed || this.#isFailureReported || isHoldfastError(error, "closed")) return;
    this.#isFailureReported = true;
    this.#base.emit(
      "login_limits_local",
      "the store does not count login attempts, so each process counts by itself until the store answers",
    );
  }
}
