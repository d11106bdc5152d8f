import type { Clock } from "../core/clock.ts";
import { jittered } from "../resilience/backoff.ts";
import { acceptedForMs, type Context } from "./context.ts";
import { KEY_RELOAD_MS } from "./signing-keys.ts";

const CLEAN_UP_MS = 10 * 60_000;
const SPREAD = 0.2;

/** What an issuer does by itself: sees rotations made elsewhere, rotates on schedule, lets the store forget. Returns what stops it. */
export function startMaintenance(ctx: Context, random: () => number): () => void {
  // A retired key signs in another process until that one looks again, and its last token lives on after that.
  const keepMs = KEY_RELOAD_MS + acceptedForMs(ctx.config);
  const stops = [
    repeat(ctx.clock, KEY_RELOAD_MS, random, async () => await ctx.keys.reload()),
    repeat(ctx.clock, CLEAN_UP_MS, random, async () => {
      const outcome = await ctx.keys.maintain(ctx.config.keyRotationMs, keepMs);
      if (outcome === "rotated") await ctx.record.audit("keys_rotated", { detail: "on schedule" });
      await ctx.store.prune();
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

/** Failures are the store's: it says so itself, and the next turn tries again. */
function repeat(clock: Clock, everyMs: number, random: () => number, job: () => Promise<void>): () => void {
  let stopped = false;
  let cancel: () => void;
  const wait = () => {
    cancel = clock.after(Math.round(jittered(everyMs, SPREAD, random)), () => {
      void job()
        .catch(() => undefined)
        .then(() => (stopped ? undefined : wait()));
    });
  };
  wait();
  return () => {
    stopped = true;
    cancel();
  };
}
