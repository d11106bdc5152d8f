import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { noChromium } from "../browser/chromium.ts";
import { startRawChromium, type RawTab } from "./cdp-browser.ts";
import { startSite, type Site } from "./site.ts";

const REFRESH = "/auth/refresh";
const HOUR_MS = 3_600_000;

const login = `tell(auth.login({ username: "ann", password: "-" }))`;
const token = (options = "{}") => `tell(auth.accessToken(${options}))`;
const isIn = `globalThis.auth?.state.status === "in"`;

describe("the client in tabs that Chromium stops and restores", { skip: noChromium }, () => {
  /** Starts a site, and a browser whose first tab is logged in. */
  async function start(
    t: TestContext,
  ): Promise<{ site: Site; open: (prepare?: string) => Promise<RawTab>; tab: RawTab }> {
    const site = await startSite(t);
    const openUrl = await startRawChromium(t);
    const open = async (prepare = "") => {
      const opened = await openUrl(site.app);
      await opened.evaluate(prepare);
      await opened.evaluate(`open({ timeoutMs: 10_000 }); auth.ready.then(() => undefined)`);
      return opened;
    };
    const tab = await open();
    assert.equal(await tab.evaluate(login), "ok");
    return { site, open, tab };
  }

  /** Ends the life of the token, on the device and at the service. */
  async function sleepFor(site: Site, ms: number, tabs: readonly RawTab[]): Promise<void> {
    site.time.aheadMs += ms;
    for (const tab of tabs) await tab.evaluate(`shift.wall += ${ms}`);
  }

  /** Leaves the page, and waits until another one is in the tab. */
  async function leave(tab: RawTab): Promise<void> {
    // The page must answer before it goes into the cache. From there, it never does.
    await tab.evaluate(`globalThis.isFirst = true; void setTimeout(() => (location.href = "/other"))`);
    await tab.until(`location.pathname === "/other" && document.readyState === "complete"`);
    assert.equal(await tab.evaluate(`globalThis.isFirst === undefined`), true);
  }

  /** Goes back. Returns whether the page came from the back-forward cache, with its variables. */
  async function back(tab: RawTab): Promise<boolean> {
    await tab.evaluate(`void setTimeout(() => history.back())`);
    await tab.until(`location.pathname === "/" && document.readyState === "complete"`);
    if (!(await tab.evaluate(`globalThis.isFirst === true`))) return false;
    await tab.until(`globalThis.restored?.length > 0`);
    assert.deepEqual(await tab.evaluate(`restored`), [true]);
    return true;
  }

  /** Chromium keeps no page whose requests are under way, which a busy machine can cause. The walk then begins anew. */
  async function walkFromCache(t: TestContext, walk: () => Promise<boolean>): Promise<void> {
    for (let attempt = 1; !(await walk()); attempt++) {
      t.diagnostic("the page was not in the back-forward cache");
      assert.ok(attempt < 4, "the page was never in the back-forward cache");
    }
  }

  /** Chromium drops a page from the cache when a message for it comes, and loads it anew. */
  const isSilent = `delete globalThis.BroadcastChannel`;
  const watchRestore = `globalThis.restored = [];
    addEventListener("pageshow", ({ persisted }) => restored.push(persisted))`;

  test("a page from the back-forward cache finds the token of another tab, without a request", async (t) => {
    await walkFromCache(t, async () => {
      const { site, open, tab } = await start(t);
      await tab.evaluate(watchRestore);
      await leave(tab);
      const other = await open(isSilent);
      await other.until(isIn);
      const next = await other.evaluate<string>(token("{ fresh: true }"));
      assert.match(next, /^eyJ/);
      await tab.activate();
      if (!(await back(tab))) return false;
      await tab.until(`auth.peek() === ${JSON.stringify(next)}`);
      assert.equal(site.count(REFRESH), 1);
      return true;
    });
  });

  test("a page that spent an hour in the back-forward cache sends one refresh", async (t) => {
    await walkFromCache(t, async () => {
      const { site, tab } = await start(t);
      await tab.evaluate(watchRestore);
      await tab.evaluate(`addEventListener("pageshow", () => (shift.wall += ${HOUR_MS}), { capture: true })`);
      await leave(tab);
      site.time.aheadMs += HOUR_MS;
      if (!(await back(tab))) return false;
      assert.match(await tab.evaluate<string>(token()), /^eyJ/);
      assert.equal(await tab.evaluate(`auth.fetch("${site.api}").then((response) => response.status)`), 200);
      assert.equal(site.count(REFRESH), 1);
      assert.equal(await site.hasAlarm(), false);
      return true;
    });
  });

  test("a page from the back-forward cache shows the logout of another tab", async (t) => {
    await walkFromCache(t, async () => {
      const { open, tab } = await start(t);
      await tab.evaluate(watchRestore);
      await leave(tab);
      const other = await open(isSilent);
      await other.until(isIn);
      await other.evaluate(`tell(auth.logout())`);
      await tab.activate();
      if (!(await back(tab))) return false;
      await tab.until(`auth.state.status === "out"`);
      return true;
    });
  });

  test("a page that another tab drove out of the back-forward cache loads anew, and is logged in", async (t) => {
    const { site, open, tab } = await start(t);
    await leave(tab);
    const other = await open();
    await other.until(isIn);
    const next = await other.evaluate<string>(token("{ fresh: true }"));
    await tab.evaluate(`void setTimeout(() => history.back())`);
    await tab.until(`location.pathname === "/" && document.readyState === "complete"`);
    // On a busy machine the page can come back before the message that drives it out of the cache.
    if (await tab.evaluate(`globalThis.isFirst === undefined`)) {
      await tab.evaluate(`open(); auth.ready.then(() => undefined)`);
    }
    assert.equal(await tab.evaluate(token()), next);
    assert.equal(site.count(REFRESH), 1);
  });

  /** Freezes a tab in the background. Its timers must stand still. */
  async function freeze(tab: RawTab): Promise<void> {
    await tab.evaluate(`globalThis.ticks = 0; void setInterval(() => ticks++, 10)`);
    await tab.send("Page.setWebLifecycleState", { state: "frozen" });
    const before = await tab.evaluate<number>(`ticks`);
    const started = Date.now();
    while (Date.now() < started + 300) await tab.evaluate(`0`);
    assert.equal(await tab.evaluate(`ticks`), before, "the tab is not frozen");
  }
  const thaw = async (tab: RawTab) => await tab.send("Page.setWebLifecycleState", { state: "active" });

  test("a frozen tab finds the token of another tab when it thaws, without a request", async (t) => {
    const { site, open, tab } = await start(t);
    const front = await open();
    await front.activate();
    await front.until(isIn);
    await freeze(tab);
    await sleepFor(site, HOUR_MS, [tab, front]);
    const next = await front.evaluate<string>(token());
    assert.match(next, /^eyJ/);
    await tab.activate();
    await thaw(tab);
    await tab.until(`auth.peek() === ${JSON.stringify(next)}`);
    assert.equal(site.count(REFRESH), 1);
    assert.equal(await site.hasAlarm(), false);
  });

  test("a tab that froze while it refreshed, with the lock, stops no other tab and stays logged in", async (t) => {
    const { site, open, tab } = await start(t);
    const front = await open();
    await front.activate();
    await front.until(isIn);
    const held: (() => void)[] = [];
    site.faults.set(REFRESH, (_, pass) => void held.push(pass));
    await sleepFor(site, HOUR_MS, [tab, front]);
    await tab.evaluate(`globalThis.refreshed = ${token()}; void 0`);
    while (held.length === 0) await front.evaluate(`new Promise((done) => setTimeout(done, 10))`);
    await freeze(tab);
    site.faults.clear();
    const started = await front.evaluate<number>(`performance.now()`);
    assert.match(await front.evaluate<string>(token()), /^eyJ/);
    const waitedMs = (await front.evaluate<number>(`performance.now()`)) - started;
    assert.ok(waitedMs < 30_000, `${waitedMs} ms`);
    held[0]?.();
    await tab.activate();
    await thaw(tab);
    assert.match(await tab.evaluate<string>(`refreshed.then(recovered)`), /^eyJ/);
    assert.equal(await tab.evaluate(`auth.state.status`), "in");
    assert.equal(await site.hasAlarm(), false);
  });

  test("law 7: ten tabs with 4 callers each send one refresh", async (t) => {
    const { site, open, tab } = await start(t);
    const tabs = [tab];
    for (let i = 1; i < 10; i++) tabs.push(await open());
    for (const one of tabs) await one.until(isIn);
    await sleepFor(site, HOUR_MS, tabs);
    const callers = `Promise.all([1, 2, 3, 4].map(() => ${token()}))`;
    const tokens = (await Promise.all(tabs.map(async (one) => await one.evaluate<string[]>(callers)))).flat();
    assert.equal(tokens.length, 40);
    assert.equal(
      new Set(tokens).size,
      1,
      tokens.find((one) => !one.startsWith("eyJ")),
    );
    assert.equal(site.count(REFRESH), 1);
  });
});
