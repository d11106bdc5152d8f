import assert from "node:assert/strict";
import { test } from "node:test";
import { noChromium, startChromium } from "./chromium.ts";

test(
  "the users of one process share a browser, and the last one that closes it ends it",
  { skip: noChromium },
  async (t) => {
    const first = await startChromium();
    t.after(async () => await first.close());
    const second = await startChromium();
    assert.equal(second, first);
    await first.newContext();
    await first.close();
    assert.equal(second.isConnected(), true);
    assert.deepEqual(second.contexts(), [], "a context of the first user is still open");
    await second.close();
    assert.equal(second.isConnected(), false);
  },
);

test("a browser that has crashed is replaced, also while it has users", { skip: noChromium }, async (t) => {
  const crashed = await startChromium();
  const ended = new Promise((resolve) => crashed.once("disconnected", resolve));
  const session = await crashed.newBrowserCDPSession();
  // The browser ends before it can answer.
  await session.send("Browser.crash").catch(() => undefined);
  await ended;
  const next = await startChromium();
  t.after(async () => await next.close());
  assert.notEqual(next, crashed);
  await crashed.close();
  assert.equal(next.isConnected(), true);
});
