import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { call, newProfile, openTab, sleep, startSite, type Fault } from "./site.ts";

const REFRESH = "/auth/refresh";
const HOUR_MS = 3_600_000;

const answer =
  (status: number, body: string, headers: Record<string, string> = {}): Fault =>
  (res) =>
    void res.writeHead(status, headers).end(body);

/** The faults of a service or of the network, each with the cause that the page must see. */
const faults: readonly [name: string, cause: string, fault: Fault][] = [
  ["a 500", "http_5xx", answer(500, "")],
  ["a 502 with HTML", "http_5xx", answer(502, "<h1>Bad gateway</h1>", { "Content-Type": "text/html" })],
  ["a 503 with HTML", "http_5xx", answer(503, "<h1>Unavailable</h1>", { "Content-Type": "text/html" })],
  ["a 504 with HTML", "http_5xx", answer(504, "<h1>Timeout</h1>", { "Content-Type": "text/html" })],
  ["a 401 with HTML", "http_4xx", answer(401, "<h1>Log in</h1>", { "Content-Type": "text/html" })],
  ["a 503", "http_5xx", answer(503, '{"error":"temporarily_unavailable"}')],
  ["a 503 with Retry-After", "http_5xx", answer(503, "", { "Retry-After": "2" })],
  ["a 429", "http_429", answer(429, '{"error":"too_many_requests"}', { "Retry-After": "1" })],
  ["a connection that is cut", "network", (res) => void res.socket?.resetAndDestroy()],
  [
    "half a body",
    "network",
    (res) => {
      res.writeHead(200, { "Content-Length": "900" }).write('{"access_token":"eyJ');
      setTimeout(() => res.destroy(), 20);
    },
  ],
  ["a service that hangs", "timeout", () => undefined],
  ["a redirect to a login page", "not_json", answer(302, "", { Location: "/hotel" })],
  ["a captive portal", "not_json", answer(200, "<h1>Welcome to the hotel</h1>")],
];

describe("the client in Chromium", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  /** Opens frames of the site in a tab. Each is a document of its own, with a client of its own, as a tab is. */
  async function openFrames(tab: Page, count: number): Promise<void> {
    await tab.evaluate(`Promise.all(Array.from({ length: ${count} }, () => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.src = "/";
      frame.onload = () => { frame.contentWindow.eval("open()"); resolve(frame.contentWindow.eval("auth.ready")); };
      document.body.append(frame);
    })))`);
  }

  for (const [count, strict] of [
    [5, false],
    [5, true],
    [50, false],
  ] as const) {
    const server = strict ? "a strict service" : "the service";
    test(`law 7: ${count} tabs with 4 callers each send one refresh to ${server}`, async (t) => {
      const site = await startSite(t, strict ? { lostAnswerMs: 0 } : {});
      const context = await newProfile(t, browser);
      const tab = await openTab(context, site);
      await call.login(tab);
      await openFrames(tab, count - 1);
      await sleep(site, HOUR_MS, tab);
      const tokens = await tab.evaluate<string[]>(`{
        const windows = [globalThis, ...Array.from(frames)];
        for (const one of windows) one.shift.wall = ${HOUR_MS};
        Promise.all(windows.flatMap((one) => [1, 2, 3, 4].map(() => one.tell(one.auth.accessToken()))));
      }`);
      assert.equal(tokens.length, count * 4);
      assert.equal(
        new Set(tokens).size,
        1,
        tokens.find((token) => !token.startsWith("eyJ")),
      );
      assert.equal(site.count(REFRESH), 1);
    });
  }

  test("five tabs of five processes without locks, channels or both stay logged in", async (t) => {
    for (const without of ["navigator.locks", "BroadcastChannel", "both"]) {
      const site = await startSite(t);
      const context = await newProfile(t, browser);
      const locks = `Object.defineProperty(navigator, "locks", { value: undefined });`;
      const channel = `delete globalThis.BroadcastChannel;`;
      const prepare =
        { "navigator.locks": locks, BroadcastChannel: channel, both: locks + channel }[without] ?? "";
      const tabs: Page[] = [];
      for (let i = 0; i < 5; i++) tabs.push(await openTab(context, site, { prepare }));
      const [first] = tabs as [Page];
      await call.login(first);
      for (const round of [1, 2]) {
        await sleep(site, HOUR_MS, ...tabs);
        const tokens = await Promise.all(tabs.map(async (tab) => await call.token(tab)));
        for (const token of tokens)
          assert.match(token, /^eyJ|^Unavailable: conflict$/, `${without} ${round}`);
        for (const tab of tabs) {
          await tab.evaluate(`recovered()`);
        }
      }
      assert.ok(site.count(REFRESH) <= 12, `${without}: ${site.count(REFRESH)}`);
      assert.equal(await site.hasAlarm(), false);
    }
  });

  for (const [name, cause, fault] of faults) {
    test(`law 1: ${name} is unavailable, keeps the tokens, and is over with the fault`, async (t) => {
      const site = await startSite(t);
      const tab = await openTab(await newProfile(t, browser), site);
      await call.login(tab);
      site.faults.set(REFRESH, fault);
      await sleep(site, HOUR_MS, tab);
      assert.equal(await call.token(tab), `Unavailable: ${cause}`);
      const { status, trouble } = (await call.state(tab)) as { status: string; trouble: { cause: string } };
      assert.deepEqual([status, trouble.cause], ["in", cause]);
      site.faults.clear();
      await tab.evaluate(`recovered()`);
      assert.equal((await call.state(tab))["trouble"], null);
      assert.equal(await site.hasAlarm(), false);
    });
  }

  test("an answer is lost, the laptop sleeps for 23 h, and the user is still logged in", async (t) => {
    const site = await startSite(t);
    const tab = await openTab(await newProfile(t, browser), site);
    await call.login(tab);
    await sleep(site, HOUR_MS, tab);
    site.faults.set(REFRESH, (res, pass) => {
      // The issuer rotates the token, and the answer does not arrive.
      res.end = (() => res.socket?.resetAndDestroy()) as never;
      res.write = (() => res.socket?.resetAndDestroy()) as never;
      pass();
    });
    assert.equal(await call.token(tab), "Unavailable: network");
    site.faults.clear();
    await sleep(site, 23 * HOUR_MS, tab);
    await tab.evaluate(`recovered()`);
    assert.equal((await call.state(tab))["status"], "in");
    assert.equal(await site.hasAlarm(), false);
  });

  test("law 3: a logout in one tab, during a refresh of another one, ends the session everywhere", async (t) => {
    const site = await startSite(t);
    const context = await newProfile(t, browser);
    const [one, two] = [await openTab(context, site), await openTab(context, site)];
    await call.login(one);
    await call.token(two);
    let release: (() => void) | undefined;
    site.faults.set(REFRESH, (_, pass) => (release = pass));
    const refreshed = call.token(one, "{ fresh: true }");
    await waitFor(() => release !== undefined);
    await call.logout(two);
    release?.();
    assert.match(await refreshed, /^Ended: logout$/);
    for (const tab of [one, two]) assert.deepEqual(await call.state(tab), { status: "out", cause: "logout" });
    const third = await openTab(context, site);
    assert.deepEqual(await call.state(third), { status: "out", cause: "logout" });
    await waitFor(async () => (await site.liveSessions()) === 0);
  });

  test("law 12: a logout offline ends the session at the service when a page is opened online", async (t) => {
    const site = await startSite(t);
    const context = await newProfile(t, browser);
    const tab = await openTab(context, site);
    await call.login(tab);
    await context.setOffline(true);
    await call.logout(tab);
    assert.deepEqual(await call.state(tab), { status: "out", cause: "logout" });
    await tab.close();
    assert.equal(await site.liveSessions(), 1);
    await context.setOffline(false);
    await openTab(context, site);
    await waitFor(async () => (await site.liveSessions()) === 0);
  });

  test("a tab that holds the lock for ever delays a refresh by 4 s at most", async (t) => {
    const site = await startSite(t);
    const context = await newProfile(t, browser);
    const [stuck, tab] = [
      await openTab(context, site),
      await openTab(context, site, { options: "{ lockWaitMs: 500 }" }),
    ];
    await call.login(tab);
    await stuck.evaluate(`void navigator.locks.request("holdfast:auth", () => new Promise(() => {}))`);
    await sleep(site, HOUR_MS, tab);
    assert.match(await call.token(tab), /^eyJ/);
    assert.equal(site.count(REFRESH), 1);
  });

  test("a refresh whose lock another page steals goes on, and the caller gets the token", async (t) => {
    const site = await startSite(t);
    const context = await newProfile(t, browser);
    const [tab, thief] = [await openTab(context, site), await openTab(context, site)];
    await call.login(tab);
    let release: (() => void) | undefined;
    site.faults.set(REFRESH, (_, pass) => (release = pass));
    const refreshed = call.token(tab, "{ fresh: true }");
    await waitFor(() => release !== undefined);
    await thief.evaluate(`navigator.locks.request("holdfast:auth", { steal: true }, () => "stolen")`);
    release?.();
    assert.match(await refreshed, /^eyJ/);
    assert.equal(site.count(REFRESH), 1);
  });

  const storageFaults: readonly [name: string, prepare: string, later: string][] = [
    [
      "refused",
      `Object.defineProperty(globalThis, "indexedDB", { get() { throw new DOMException("no", "SecurityError"); } });`,
      "",
    ],
    ["absent", `Object.defineProperty(globalThis, "indexedDB", { value: undefined });`, ""],
    [
      "over quota",
      `IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };`,
      "",
    ],
    ["never ready", `IDBFactory.prototype.open = () => ({});`, ""],
    [
      "deleted under us",
      "",
      `new Promise((done) => (indexedDB.deleteDatabase("holdfast").onsuccess = done))`,
    ],
    [
      "blocked by a write that never ends",
      "",
      `new Promise((done) => (indexedDB.open("holdfast").onsuccess = ({ target }) => {
        const store = target.result.transaction("sessions", "readwrite").objectStore("sessions");
        const again = () => (store.get("x").onsuccess = again);
        again();
        done();
      }))`,
    ],
  ];
  for (const [name, prepare, later] of storageFaults) {
    test(`a storage that is ${name} leaves the session in memory, and the page is told`, async (t) => {
      const site = await startSite(t);
      const tab = await openTab(await newProfile(t, browser), site, { prepare });
      if (later !== "") await call.login(tab);
      await tab.evaluate(`void ${later || 0}`);
      if (later === "") assert.equal(await call.login(tab), "ok");
      assert.match(await call.token(tab, "{ fresh: true }"), /^eyJ/);
      const { status, persistence } = await call.state(tab);
      assert.deepEqual([status, persistence], ["in", "memory"]);
      await sleep(site, HOUR_MS, tab);
      assert.match(await call.token(tab), /^eyJ/);
    });
  }

  test("a clock that is wrong by hours or years causes no needless refresh and no expired token", async (t) => {
    const site = await startSite(t);
    for (const years of [-10, -0.000228, 0.000228, 10]) {
      const context = await newProfile(t, browser);
      const tab = await openTab(context, site);
      const offMs = Math.round(years * 365.25 * 24 * HOUR_MS);
      await tab.evaluate(`shift.wall = ${offMs}`);
      await call.login(tab);
      site.sent.length = 0;
      const token = await call.token(tab);
      assert.equal(await call.token(tab), token);
      assert.equal(site.count(REFRESH), 0, `${years}`);
      for (const jumpMs of [2 * HOUR_MS, -4 * HOUR_MS]) {
        await tab.evaluate(`shift.wall += ${jumpMs}`);
        site.sent.length = 0;
        await call.token(tab);
        await call.token(tab);
        assert.equal(site.count(REFRESH), 1, `jump of ${jumpMs}`);
      }
      await sleep(site, 8 * HOUR_MS, tab);
      assert.match(await call.token(tab), /^eyJ/);
      assert.equal(await tab.evaluate(`auth.fetch("${site.api}").then((response) => response.status)`), 200);
      await context.close();
    }
  });

  test("a frozen tab and a tab that was closed find the token of another tab, without a request", async (t) => {
    const site = await startSite(t);
    const context = await newProfile(t, browser);
    const [tab, front] = [await openTab(context, site), await openTab(context, site)];
    await call.login(tab);
    // The other tab hears of the login first, so that its fresh token is a newer one.
    await front.waitForFunction(`auth.state.status === "in"`);
    const cdp = await context.newCDPSession(tab);
    await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
    const next = await call.token(front, "{ fresh: true }");
    await cdp.send("Page.setWebLifecycleState", { state: "active" });
    await tab.waitForFunction(`auth.peek() === ${JSON.stringify(next)}`);
    await tab.close();
    const restored = await openTab(context, site);
    assert.equal(await call.token(restored), next);
    assert.equal(site.count(REFRESH), 1);
  });

  test("after a logout of one user and a login of another, every tab shows the other", async (t) => {
    const site = await startSite(t);
    const context = await newProfile(t, browser);
    const [one, two] = [await openTab(context, site), await openTab(context, site)];
    await call.login(one);
    let release: (() => void) | undefined;
    site.faults.set(REFRESH, (_, pass) => (release = pass));
    const late = call.token(one, "{ fresh: true }");
    await waitFor(() => release !== undefined);
    await call.logout(two);
    await call.login(two, "bob");
    release?.();
    await late;
    for (const tab of [one, two, await openTab(context, site)]) {
      await tab.waitForFunction(`auth.state.subject === "bob"`);
    }
    site.faults.clear();
    assert.match(await call.token(one, "{ fresh: true }"), /^eyJ/);
    assert.equal((await call.state(two))["subject"], "bob");
  });

  test("an access token that the API always rejects causes two requests, and the 401 is returned", async (t) => {
    const site = await startSite(t);
    const tab = await openTab(await newProfile(t, browser), site);
    await call.login(tab);
    site.apiFault = 401;
    const fetched = `auth.fetch("${site.api}/orders", { method: "POST", body: "one" }).then((r) => r.status)`;
    assert.equal(await tab.evaluate(fetched), 401);
    assert.deepEqual(site.apiAnswers, [401, 401]);
    assert.equal(site.count(REFRESH), 1);
    assert.equal(await tab.evaluate(fetched), 401);
    assert.equal(site.count(REFRESH), 1, "another rejection soon after does not refresh again");
    assert.equal((await call.state(tab))["status"], "in");
  });

  test("a rejected request is repeated once with its body", async (t) => {
    const site = await startSite(t);
    const tab = await openTab(await newProfile(t, browser), site);
    await call.login(tab);
    const sendOnce = async (request: string) => {
      site.apiFault = 401;
      const done = tab.evaluate<string>(
        `auth.fetch(${request}).then(async (r) => r.status + " " + await r.text())`,
      );
      await waitFor(() => site.apiAnswers.length > 0);
      site.apiFault = null;
      const outcome = await done;
      const answers = site.apiAnswers.splice(0);
      return [outcome, answers];
    };
    const init = `{ method: "PUT", body: "two" }`;
    assert.deepEqual(await sendOnce(`"${site.api}/a", ${init}`), ["200 PUT two", [401, 200]]);
    assert.deepEqual(await sendOnce(`new Request("${site.api}/a", ${init})`), ["200 PUT two", [401, 200]]);
  });
});

async function waitFor(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 10));
}
