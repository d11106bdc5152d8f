/**
 * Lets the parent of a process move its clocks: `node --import test/support/remote-clock.ts`, or the same in
 * `NODE_OPTIONS`. Each message of the parent is the number of milliseconds by which both clocks are ahead from then on.
 * The process answers with the same message. The timers stay as they are.
 */
const RealDate = Date;
const realNow = Date.now;
const realMonotonic = performance.now.bind(performance);

let aheadMs = 0;

Date.now = () => realNow() + aheadMs;
globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(Date.now()).toString(),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget) as Date,
});
performance.now = () => realMonotonic() + aheadMs;

process.on("message", (message) => {
  aheadMs = Number(message);
  process.send?.(message);
});
// The messages alone do not keep a process alive.
process.channel?.unref();
