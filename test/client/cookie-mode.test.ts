import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { waitUntil } from "../support/deadline.ts";
import { call, newProfile, openTab, sleep, startSite, type Site } from "./site.ts";

const REFRESH = "/auth/refresh";
const HOUR_MS = 3_600_000;
const options = `{ mode: "cookie" }`;
/** Nothing times out while a test holds an answer back. */
const patient = `{ mode: "cookie", timeoutMs: 60_000, lockWaitMs: 60_000 }`;

/** Everything that a script of the page can find of the session. */
const visible = `new Promise((resolve) => (indexedDB.open("holdfast").onsuccess = ({ target }) => {
  const reading = target.result.transaction("sessions").objectStore("sessions").getAll();
  reading.onsuccess = () => resolve(JSON.stringify([reading.result, document.cookie, auth.state, { ...localStorage }]));
}))`;

/** Whether something in the page waits for a lock that is held. */
const isLockAwaited = async (tab: Page) =>
  await tab.evaluate(async () => (await navigator.locks.query()).pending?.length !== 0);

describe("the client in cookie mode, in Chromium", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  const cookies = async (context: BrowserContext) => (await context.cookies()).length;

  test("law 5: a session of two tabs is refreshed and listed, and no script sees a token", async (t) => {
    const site = await startSite(t, {}, true);
    const context = await newProfile(t, browser);
    const [one, two] = [await openTab(context, site, { options }), await openTab(context, site, { options })];
    assert.equal(await call.login(one), "ok");
    assert.equal((await call.state(one))["subject"], "ann");
    assert.equal(await call.token(two), "");
    assert.equal(await two.evaluate(`auth.peek()`), null);
    await sleep(site, HOUR_MS, one, two);
    assert.deepEqual(await Promise.all([call.token(one), call.token(two)]), ["", ""]);
    assert.equal(site.count(REFRESH), 1);
    const listed = await two.evaluate<{ current: boolean }[]>(`auth.sessions()`);
    assert.deepEqual(
      listed.map(({ current }) => current),
      [true],
    );
    const status = `auth.fetch("${site.id}/auth/sessions").then((response) => response.status)`;
    assert.equal(await one.evaluate(status), 200);
    const text = await one.evaluate<string>(visible);
    assert.match(text, /"sub":"ann"/);
    assert.doesNotMatch(text, /eyJ|hfr_/);
    await call.logout(two);
    assert.equal(await cookies(context), 0);
    assert.equal(await site.liveSessions(), 0);
    await one.waitForFunction(`auth.state.status === "out"`);
  });

  test("law 1: an outage keeps the cookies, and the session goes on after it", async (t) => {
    const site = await startSite(t, {}, true);
    const context = await newProfile(t, browser);
    const tab = await openTab(context, site, { options });
    await call.login(tab);
    const kept = await cookies(context);
    assert.ok(kept >= 2, `${kept} cookies`);
    site.faults.set(REFRESH, () => undefined);
    await sleep(site, HOUR_MS, tab);
    assert.equal(await call.token(tab), "Unavailable: timeout");
    assert.equal(await cookies(context), kept);
    site.faults.clear();
    assert.equal(await tab.evaluate(`recovered()`), "");
    assert.equal((await call.state(tab))["status"], "in");
  });

  test("law 12: a logout offline comes before the next login, which has cookies of its own", async (t) => {
    const site = await startSite(t, {}, true);
    const context = await newProfile(t, browser);
    const tab = await openTab(context, site, { options });
    await call.login(tab);
    await context.setOffline(true);
    await call.logout(tab);
    assert.equal(await call.login(tab, "bob"), "Unavailable: offline");
    assert.equal(await site.liveSessions(), 1);
    // The page sends the logout when it is online, and so does the login. The answer comes when both want to.
    const held: (() => void)[] = [];
    site.faults.set("/auth/logout", (_res, serve) => void held.push(serve));
    await context.setOffline(false);
    const login = call.login(tab, "bob");
    await waitUntil(
      async () => site.count("/auth/logout") > 1 || (held.length === 1 && (await isLockAwaited(tab))),
      "the page and the login to send the logout",
    );
    site.faults.delete("/auth/logout");
    for (const serve of held) serve();
    assert.equal(await login, "ok");
    assert.equal(site.count("/auth/logout"), 1, "a second logout would carry the cookies of bob");
    assert.equal(await site.liveSessions(), 0, "the session of ann has ended");
    assert.equal(await call.token(tab, "{ fresh: true }"), "");
    assert.equal((await call.state(tab))["subject"], "bob");
  });

  test("law 3: a logout during a login ends the new session, and its cookies go", async (t) => {
    for (const mode of ["cookie", "token"]) {
      const site = await startSite(t, {}, true);
      const context = await newProfile(t, browser);
      const tab = await openTab(context, site, { options: `{ mode: "${mode}", timeoutMs: 10_000 }` });
      const held: (() => void)[] = [];
      site.faults.set("/auth/login", (_, pass) => void held.push(pass));
      const login = call.login(tab);
      await waitUntil(async () => held.length > 0, "the login to be sent");
      await call.logout(tab);
      held[0]?.();
      assert.equal(await login, "LoginRefused: logged_out", mode);
      assert.deepEqual(await call.state(tab), { status: "out", cause: "logout" });
      await waitUntil(
        async () => (await site.liveSessions()) === 0 && (await cookies(context)) === 0,
        "the new session to end, and its cookies to go",
      );
    }
  });

  test("law 1: an old session that ends during a login does not refuse the login", async (t) => {
    const site = await startSite(t, {}, true);
    const tab = await openTab(await newProfile(t, browser), site, {
      options: '{ mode: "token", timeoutMs: 10_000 }',
    });
    assert.equal(await call.login(tab), "ok");
    await site.endSessions();
    const held: (() => void)[] = [];
    site.faults.set("/auth/login", (_, pass) => void held.push(pass));
    const login = call.login(tab);
    await waitUntil(async () => held.length > 0, "the login to be sent");
    assert.match(await call.token(tab, "{ fresh: true }"), /^Ended/);
    held[0]?.();
    assert.equal(await login, "ok");
    assert.equal((await call.state(tab))["status"], "in");
    assert.equal(await site.liveSessions(), 1);
  });

  /** Waits until the next login waits for its turn, or has been sent too early. */
  const untilNextLogin = async (site: Site, tab: Page, login: Promise<string>, sent: number) => {
    await waitUntil(
      async () => site.count("/auth/login") > sent || (await isLockAwaited(tab)),
      "the next login to be sent or to wait",
    );
    if (site.count("/auth/login") > sent) await login;
  };

  const expectBob = async (site: Site, tab: Page) => {
    assert.equal(await call.token(tab, "{ fresh: true }"), "");
    assert.equal((await call.state(tab))["subject"], "bob");
    await waitUntil(async () => (await site.liveSessions()) === 0, "the session of ann to end");
    assert.equal(
      await call.token(tab, "{ fresh: true }"),
      "",
      "the logout of ann did not end the login of bob",
    );
  };

  test("law 3: the logout of a login that came too late does not end the next login", async (t) => {
    const site = await startSite(t, {}, true);
    const tab = await openTab(await newProfile(t, browser), site, { options: patient });
    const logins: (() => void)[] = [];
    site.faults.set("/auth/login", (_, pass) => void logins.push(pass));
    const late = call.login(tab);
    await waitUntil(async () => logins.length > 0, "the login to be sent");
    await call.logout(tab);
    site.faults.delete("/auth/login");
    const logouts: (() => void)[] = [];
    site.faults.set("/auth/logout", (_, pass) => void logouts.push(pass));
    const login = call.login(tab, "bob");
    await untilNextLogin(site, tab, login, 1);
    logins[0]?.();
    assert.equal(await late, "LoginRefused: logged_out");
    await waitUntil(async () => logouts.length > 0, "the logout to be sent");
    site.faults.clear();
    for (const pass of logouts) pass();
    assert.equal(await login, "ok");
    await expectBob(site, tab);
  });

  test("law 3: the cookies of a refresh that comes too late do not replace those of the next login", async (t) => {
    const site = await startSite(t, {}, true);
    const tab = await openTab(await newProfile(t, browser), site, { options: patient });
    await call.login(tab);
    const answers: (() => void)[] = [];
    site.faults.set(REFRESH, (res, pass) => {
      const end = res.end.bind(res) as (...given: unknown[]) => ServerResponse;
      res.end = (...given: unknown[]) => (answers.push(() => end(...given)), res);
      pass();
    });
    const refresh = call.token(tab, "{ fresh: true }");
    await waitUntil(async () => answers.length > 0, "the service to refresh");
    site.faults.clear();
    const logout = call.logout(tab);
    await tab.waitForFunction(`auth.state.status === "out"`);
    const login = call.login(tab, "bob");
    await untilNextLogin(site, tab, login, 1);
    for (const answer of answers) answer();
    await Promise.all([refresh, logout]);
    assert.equal(await login, "ok");
    await expectBob(site, tab);
  });
});
