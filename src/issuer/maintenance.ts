import { jittered } from "../resilience/backoff.ts";
import type { Context } from "./context.ts";
import { MAX_KEYS_AGE_MS } from "./signing-keys.ts";

const CLEAN_UP_MS = 10 * 60_000;
const SPREAD = 0.2;

/** What an issuer does by itself: sees rotations made elsewhere, rotates on schedule, lets the store forget. Returns what stops it. */
export function startMaintenance({ clock, keys, store }: Context, random: () => number): () => void {
  let stopped = false;
  const waiting = new Map<number, () => void>();
  /** Failures are the store's: it says so itself, and the next turn tries again. */
  const repeat = (everyMs: number, job: () => Promise<void>) => {
    if (stopped) return;
    const cancel = clock.after(Math.round(jittered(everyMs, SPREAD, random)), () => {
      void job()
        .catch(() => undefined)
        .then(() => repeat(everyMs, job));
    });
    waiting.set(everyMs, cancel);
  };
  repeat(MAX_KEYS_AGE_MS, async () => await keys.reload());
  repeat(CLEAN_UP_MS, async () => {
    await keys.maintain();
    await store.prune();
  });
  return () => {
    stopped = true;
    for (const cancel of waiting.values()) cancel();
  };
}
