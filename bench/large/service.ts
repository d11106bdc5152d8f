/* The service of a benchmark, in a process of its own. It measures its own event loop, and answers its parent. */
import { Server } from "node:net";
import { loadSettings } from "../../src/server/secret-files.ts";
import { startService } from "../../src/server/serve.ts";
import { watchTicks, watchTurns } from "./turn-watch.ts";

/** The clean-up runs every ten minutes, give or take a fifth. No other timer of the service has such a delay. */
const [LEAST_MS, MOST_MS] = [8 * 60_000, 12 * 60_000];
let maintain: (() => void) | null = null;
/** Remembers the callback of the clean-up, so that the benchmark need not wait for it. */
globalThis.setTimeout = new Proxy(setTimeout, {
  apply(target, self, args: [run: () => void, ms?: number]) {
    const [run, ms = 0] = args;
    if (ms >= LEAST_MS && ms <= MOST_MS) maintain = run;
    return Reflect.apply(target, self, args) as unknown;
  },
});

const turns = process.argv[2] === "ticks" ? watchTicks() : watchTurns();
/** No request can wait before the first port is open, so the turns that load modules do not count. */
// oxlint-disable-next-line typescript/unbound-method -- the proxy passes `this` on
Server.prototype.listen = new Proxy(Server.prototype.listen, {
  apply(target, server, args) {
    setImmediate(() => turns.take());
    return Reflect.apply(target, server, args) as unknown;
  },
});
process.on("message", (request: "take" | "maintain") => {
  if (request === "maintain") maintain?.();
  process.send?.({ turns: turns.take(), rssBytes: process.memoryUsage.rss() });
});
// A service whose parent is gone ends.
process.once("disconnect", () => process.exit(1));
const { publicAddress, adminAddress } = await startService(await loadSettings());
process.send?.({ publicAddress, adminAddress });
