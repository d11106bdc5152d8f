import type { Account } from "./account.ts";
import { isLive } from "./record.ts";
import type { Session } from "./session.ts";
import type { AuthRecord } from "./types.ts";

/** A hidden page has no timer after this time. */
const HIDDEN_MS = 300_000;
/** A token with a tiny life must not make the timer a loop. */
const MIN_TIMER_MS = 1_000;

/** Opens the channel of the session. `null` where the platform has none. */
export function openChannel(name: string): BroadcastChannel | null {
  try {
    const channel: BroadcastChannel & { unref?: () => void } = new BroadcastChannel(name);
    // In Node, a channel must not keep the process alive.
    channel.unref?.();
    return channel;
  } catch {
    return null;
  }
}

/** Looks after the session whenever something may have changed. Correctness never depends on the one timer. */
export class Waker {
  readonly #session: Session;
  readonly #account: Account;
  readonly #stopListening: (() => void)[] = [];
  #cancelTimer = (): void => undefined;
  #hiddenSince: number | null = null;
  #isClosed = false;

  constructor(session: Session, account: Account) {
    this.#session = session;
    this.#account = account;
  }

  /** Listens to the page and to the channel. */
  start(channel: BroadcastChannel | null): void {
    const page = globalThis.document as Document | undefined;
    const wake = () => void this.wake();
    const online = () => {
      this.#session.retryNow();
      wake();
    };
    const visible = () => {
      this.#hiddenSince = page?.hidden ? this.#session.parts.clock.monotonic() : null;
      if (page?.hidden) this.schedule();
      else wake();
    };
    if (page?.hidden) visible();
    this.#listen(page, "visibilitychange", visible);
    this.#listen(page, "resume", wake);
    this.#listen(globalThis, "pageshow", wake);
    this.#listen(globalThis, "online", online);
    if (channel !== null) {
      channel.onmessage = ({ data }) => {
        if (data !== null) this.#session.parts.storage.offer(data as AuthRecord);
        wake();
      };
      this.#stopListening.push(() => channel.close());
    }
    this.#session.listeners.add(() => this.schedule());
  }

  /** Reads the storage again, sends what waits, and refreshes a token that is due. Never rejects. */
  async wake(): Promise<void> {
    await this.#session.ready;
    if (this.#isClosed) return;
    const record = await this.#session.reread();
    if (isLive(record) && this.#session.dueInMs(record) <= 0) {
      await this.#session.refresh(record).catch(() => undefined);
    }
    this.schedule();
    await this.#account.flush();
  }

  /** Sets the timer for the next refresh, or for the next attempt. */
  schedule(): void {
    this.#cancelTimer();
    const { record, coolDownMs, parts } = this.#session;
    if (this.#isClosed || !isLive(record)) return;
    const dueInMs = Math.max(MIN_TIMER_MS, coolDownMs, this.#session.dueInMs(record));
    const now = parts.clock.monotonic();
    // The page wakes when it becomes visible.
    if (this.#hiddenSince !== null && now + dueInMs > this.#hiddenSince + HIDDEN_MS) return;
    this.#cancelTimer = parts.clock.after(dueInMs, () => void this.wake());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    for (const stop of this.#stopListening) stop();
  }

  #listen(target: Partial<EventTarget> | undefined, type: string, listener: () => void): void {
    target?.addEventListener?.(type, listener);
    this.#stopListening.push(() => target?.removeEventListener?.(type, listener));
  }
}
