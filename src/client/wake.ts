import { sendLogouts } from "./logouts.ts";
import { createTimer } from "./platform.ts";
import { newest } from "./record.ts";
import { obtain } from "./refresh.ts";
import { dueInMs, type Session } from "./session.ts";
import { HIDDEN_MS, MIN_TIMER_MS } from "./timing.ts";
import type { AuthRecord } from "./types.ts";
import { update } from "./update.ts";

/**
 * Looks after the session whenever something may have changed. Correctness never depends on the one timer. Returns the
 * function that stops this.
 */
export const keepAwake = (session: Session): (() => void) => {
  const { clock } = session;
  const stopping = new AbortController();
  const { signal } = stopping;
  const setTimer = createTimer(clock);
  let sleepsAt = Infinity;

  /** Sets the timer for the next refresh, or for the next attempt. */
  const schedule = () => {
    const now = clock.monotonic();
    const waitMs = Math.max(MIN_TIMER_MS, session.retryAt - now, dueInMs(session));
    // A page that is hidden for longer wakes when it becomes visible.
    const needsTimer = !signal.aborted && session.record.life && now + waitMs < sleepsAt;
    setTimer(waitMs, needsTimer ? wake : undefined);
  };

  /** Reads the storage again, refreshes a token that is due, and sends the logouts that wait. */
  const look = async (received?: AuthRecord) => {
    // A record that is known is not passed on, or two pages without a storage would send it to each other for ever.
    await update(session, (known) =>
      received && newest(known, received) === received ? received : undefined,
    );
    if (signal.aborted) return;
    await obtain(session).catch(() => undefined);
    schedule();
    await sendLogouts(session);
  };
  const wake = () => void look();
  const onEvent = ({ type }: { type?: string }) => {
    const isHidden = globalThis.document?.hidden;
    sleepsAt = isHidden ? clock.monotonic() + HIDDEN_MS : Infinity;
    if (type === "online") session.retryAt = -Infinity;
    // A transaction that begins now would keep the page out of the back-forward cache.
    if (type && isHidden) return schedule();
    for (const listener of session.listeners) listener(true);
    wake();
  };

  for (const type of ["visibilitychange", "resume", "pageshow", "online"]) {
    // The document receives two of them, which bubble to the window.
    globalThis.addEventListener?.(type, onEvent, { signal });
  }
  try {
    session.channel = new BroadcastChannel(session.name);
    session.channel.onmessage = ({ data }) => void look(data as AuthRecord);
    // In Node, a channel must not keep the process alive.
    session.channel.unref?.();
  } catch {
    // Without a channel, a page reads the storage when it wakes.
  }
  session.listeners.add(schedule);
  onEvent({});
  return () => {
    stopping.abort();
    for (const listener of session.listeners) listener(false);
    session.channel?.close();
    session.channel = undefined;
  };
};
