import { sendLogouts } from "./logouts.ts";
import { createTimer } from "./platform.ts";
import { newest } from "./record.ts";
import type { Session } from "./session.ts";
import { HIDDEN_MS, MIN_TIMER_MS } from "./timing.ts";
import type { AuthRecord } from "./types.ts";

/** Opens the channel of the session. `undefined` where the platform has none. */
function openChannel(name: string): BroadcastChannel | undefined {
  try {
    const channel: BroadcastChannel & { unref?: () => void } = new BroadcastChannel(name);
    // In Node, a channel must not keep the process alive.
    channel.unref?.();
    return channel;
  } catch {
    return undefined;
  }
}

/**
 * Looks after the session whenever something may have changed. Correctness never depends on the one timer. Returns the
 * function that stops this.
 */
export function keepAwake(session: Session, name: string): () => void {
  const { clock } = session;
  const channel = openChannel(name);
  const page = globalThis.document as Document | undefined;
  const stopping = new AbortController();
  const { signal } = stopping;
  const setTimer = createTimer(clock);
  let sleepsAt = page?.hidden ? clock.monotonic() + HIDDEN_MS : Infinity;

  /** Sets the timer for the next refresh, or for the next attempt. */
  const schedule = () => {
    const { record } = session;
    const now = clock.monotonic();
    const dueInMs = Math.max(MIN_TIMER_MS, session.retryAt - now, session.dueInMs(record));
    // A page that is hidden for longer wakes when it becomes visible.
    const needsTimer = !signal.aborted && record.life && now + dueInMs < sleepsAt;
    setTimer(dueInMs, needsTimer ? wake : undefined);
  };

  /** Reads the storage again, refreshes a token that is due, and sends the logouts that wait. */
  const look = async (received?: AuthRecord) => {
    const record = await session.update((known) =>
      received && newest(known, received) === received ? received : undefined,
    );
    if (signal.aborted) return;
    if (record.life && session.dueInMs(record) <= 0) await session.refresh(record).catch(() => undefined);
    schedule();
    if (!session.record.outbox[0]) return;
    // Other pages wait for their turn, so that each logout is sent once.
    await session.locked(":outbox", async () => {
      await session.update();
      await sendLogouts(session);
    });
  };
  const wake = () => void look();
  const onEvent = ({ type }: { type: string }) => {
    sleepsAt = page?.hidden ? clock.monotonic() + HIDDEN_MS : Infinity;
    if (page?.hidden) return schedule();
    if (type === "online") session.retryAt = -Infinity;
    for (const waken of session.wakers) waken();
    wake();
  };

  for (const type of ["visibilitychange", "resume", "pageshow", "online"]) {
    // The document receives two of them, and the window sees them first.
    globalThis.addEventListener?.(type, onEvent, { signal, capture: true });
  }
  if (channel) channel.onmessage = ({ data }) => void look(data as AuthRecord | undefined);
  session.announce = (unstored) => channel?.postMessage(unstored);
  session.listeners.add(schedule);
  wake();
  return () => {
    stopping.abort();
    schedule();
    session.announce = () => undefined;
    channel?.close();
  };
}
