/**
 * Moves the wall clock of a process: `node --import test/support/movable-clock.ts`, or the same in `NODE_OPTIONS`. The
 * file in MOVABLE_CLOCK_FILE holds the milliseconds by which the clock is ahead. Each thread reads it on its own. The
 * monotonic clock and the timers stay as they are, as when a person sets the clock of a machine.
 */
import { readFileSync } from "node:fs";

const READ_INTERVAL_MS = 50;
const file = process.env["MOVABLE_CLOCK_FILE"] ?? "";
const RealDate = Date;
const realNow = Date.now;

let aheadMs = 0;

function read(): void {
  try {
    aheadMs = Number(readFileSync(file, "utf8"));
  } catch {
    aheadMs = 0;
  }
}

read();
setInterval(read, READ_INTERVAL_MS).unref();

Date.now = () => realNow() + aheadMs;
globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(Date.now()).toString(),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget) as Date,
});
