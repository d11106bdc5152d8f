import { isLive } from "./record.ts";
import type { Session } from "./session.ts";
import type { AuthRecord } from "./types.ts";

/** A hidden page has no timer after this time. */
const HIDDEN_MS = 300_000;
/** A token with a tiny life must not make the timer a loop. */
const MIN_TIMER_MS = 1_000;

/** Opens the channel of the session. `null` where the platform has none. */
function openChannel(name: string): BroadcastChannel | null {
  try {
    const channel: BroadcastChannel & { unref?: () => void } = new BroadcastChannel(name);
    // In Node, a channel must not keep the process alive.
    channel.unref?.();
    return channel;
  } catch {
    return null;
  }
}

/**
 * Looks after the session whenever something may have changed. Correctness never depends on the one timer. Returns the
 * function that stops this.
 */
export function keepAwake(session: Session, sendLogouts: () => Promise<unknown>): () => void {
  const { clock } = session;
  const channel = openChannel(session.name);
  const page = globalThis.document as Document | undefined;
  const stopping = new AbortController();
  const { signal } = stopping;
  let cancelTimer = (): void => undefined;
  let hiddenSince = Infinity;

  /** Sets the timer for the next refresh, or for the next attempt. */
  const schedule = () => {
    cancelTimer();
    const { record } = session;
    if (signal.aborted || !isLive(record)) return;
    const dueInMs = Math.max(MIN_TIMER_MS, session.coolDownMs(), session.dueInMs(record));
    // A page that is hidden for longer wakes when it becomes visible.
    if (clock.monotonic() + dueInMs < hiddenSince + HIDDEN_MS) cancelTimer = clock.after(dueInMs, wake);
  };

  /** Reads the storage again, refreshes a token that is due, and sends the logouts that wait. */
  const look = async () => {
    await session.ready;
    if (signal.aborted) return;
    const record = await session.update();
    if (isLive(record) && session.dueInMs(record) <= 0) await session.refresh(record).catch(() => undefined);
    schedule();
    if (session.record.outbox.length === 0) return;
    // Other pages wait for their turn, so that each logout is sent once.
    await session.locked(":outbox", async () => {
      await session.update();
      await sendLogouts();
    });
  };
  const wake = () => void look();
  const onPage = () => {
    hiddenSince = page?.hidden ? clock.monotonic() : Infinity;
    if (page?.hidden) return schedule();
    for (const waken of session.wakers) waken();
    wake();
  };
  const onOnline = () => {
    session.retryAt = -Infinity;
    onPage();
  };

  page?.addEventListener("visibilitychange", onPage, { signal });
  page?.addEventListener("resume", onPage, { signal });
  globalThis.addEventListener?.("pageshow", onPage, { signal });
  globalThis.addEventListener?.("online", onOnline, { signal });
  if (channel !== null) {
    channel.onmessage = ({ data }) => {
      if (data !== null) session.apply(data as AuthRecord);
      wake();
    };
  }
  session.announce = (unstored) => channel?.postMessage(unstored);
  session.listeners.add(schedule);
  if (page?.hidden) hiddenSince = clock.monotonic();
  wake();
  return () => {
    stopping.abort();
    session.listeners.delete(schedule);
    cancelTimer();
    session.announce = () => undefined;
    channel?.close();
  };
}
