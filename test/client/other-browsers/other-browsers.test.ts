import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startSite, type Fault, type Site } from "../site.ts";
import { noFirefox, startFirefox } from "./firefox.ts";
import type { SystemBrowser, Tab } from "./tab.ts";
import { noWebkit, startWebkit } from "./webkit.ts";

const REFRESH = "/auth/refresh";
const HOUR_MS = 3_600_000;

const browsers: readonly [name: string, skip: string | false, start: () => Promise<SystemBrowser>][] = [
  ["Firefox ESR", noFirefox, startFirefox],
  ["WebKitGTK", noWebkit, startWebkit],
];

const faults: readonly [name: string, cause: string, fault: Fault][] = [
  ["a 500", "http_5xx", (res) => void res.writeHead(500).end()],
  ["a 429", "http_429", (res) => void res.writeHead(429).end('{"error":"too_many_requests"}')],
  ["a connection that is cut", "network", (res) => void res.socket?.resetAndDestroy()],
  ["a service that hangs", "timeout", () => undefined],
  ["a captive portal", "not_json", (res) => void res.writeHead(200).end("<h1>Welcome to the hotel</h1>")],
];

for (const [name, skip, start] of browsers) {
  describe(`the client in ${name}`, { skip }, () => {
    let browser: SystemBrowser;
    before(async () => {
      browser = await start();
    });
    after(async () => await browser.close());

    async function openTab(site: Site): Promise<Tab> {
      const tab = await browser.open(site.app);
      await tab.evaluate("(open(), auth.ready)");
      return tab;
    }
    const logIn = async (tab: Tab) =>
      assert.equal(await tab.evaluate(`tell(auth.login({ username: "ann", password: "-" }))`), "ok");
    const token = async (tab: Tab) => await tab.evaluate<string>("tell(auth.accessToken())");
    const state = async (tab: Tab) => await tab.evaluate<Record<string, unknown>>("auth.state");
    const hasToken = async (tab: Tab) =>
      await until(async () => (await token(tab)).startsWith("eyJ"), "a token");
    async function sleep(site: Site, ms: number, ...tabs: Tab[]): Promise<void> {
      site.time.aheadMs += ms;
      for (const tab of tabs) await tab.evaluate(`(shift.wall += ${ms})`);
    }
    async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
      for (let i = 0; i < 600; i++) {
        if (await condition()) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.fail(`${what} did not come`);
    }

    test("law 7: three tabs with four callers each send one refresh", async (t) => {
      const site = await startSite(t);
      const tabs = [await openTab(site), await openTab(site), await openTab(site)];
      await logIn(tabs[0] as Tab);
      for (const tab of tabs) await hasToken(tab);
      await sleep(site, HOUR_MS, ...tabs);
      const four = "Promise.all([1, 2, 3, 4].map(() => tell(auth.accessToken())))";
      const tokens = await Promise.all(tabs.map(async (tab) => await tab.evaluate<string[]>(four)));
      assert.equal(new Set(tokens.flat()).size, 1);
      assert.match(tokens[0]?.[0] ?? "", /^eyJ/);
      assert.equal(site.count(REFRESH), 1);
      for (const tab of tabs) await tab.close();
    });

    test("law 1: faults of the service and the network keep the session, with their cause", async (t) => {
      const site = await startSite(t);
      const tab = await openTab(site);
      await logIn(tab);
      for (const [fault, cause, act] of faults) {
        await sleep(site, HOUR_MS, tab);
        site.faults.set(REFRESH, act);
        assert.equal(await token(tab), `Unavailable: ${cause}`, fault);
        assert.equal((await state(tab))["status"], "in", fault);
        site.faults.clear();
        await hasToken(tab);
        assert.equal((await state(tab))["trouble"], null, fault);
      }
      assert.equal(await site.hasAlarm(), false);
      await tab.close();
    });

    test("an answer is lost, the laptop sleeps for 23 h, and the user is still logged in", async (t) => {
      const site = await startSite(t);
      const tab = await openTab(site);
      await logIn(tab);
      await sleep(site, HOUR_MS, tab);
      site.faults.set(REFRESH, (res, pass) => {
        // The issuer rotates the token, and the answer does not arrive.
        res.end = (() => res.socket?.resetAndDestroy()) as never;
        res.write = (() => res.socket?.resetAndDestroy()) as never;
        pass();
      });
      assert.equal(await token(tab), "Unavailable: network");
      site.faults.clear();
      await sleep(site, 23 * HOUR_MS, tab);
      await hasToken(tab);
      assert.equal((await state(tab))["status"], "in");
      assert.equal(await site.hasAlarm(), false);
      await tab.close();
    });

    test("law 12: a logout without the service reaches every tab at once, and the service when it is back", async (t) => {
      const site = await startSite(t);
      const [one, two] = [await openTab(site), await openTab(site)];
      await logIn(one);
      await hasToken(two);
      site.faults.set("/auth/logout", (res) => void res.socket?.resetAndDestroy());
      await one.evaluate("tell(auth.logout())");
      assert.deepEqual(await state(one), { status: "out", cause: "logout" });
      await until(async () => (await state(two))["status"] === "out", "the logout in the other tab");
      await one.close();
      await two.close();
      assert.equal(await site.liveSessions(), 1);
      site.faults.clear();
      const later = await openTab(site);
      await until(async () => (await site.liveSessions()) === 0, "the end of the session");
      assert.deepEqual(await state(later), { status: "out", cause: "logout" });
      await later.close();
    });

    test("a storage that refuses leaves the session in memory, and the page is told", async (t) => {
      const site = await startSite(t);
      const tab = await browser.open(site.app);
      await tab.evaluate(
        `(IDBFactory.prototype.open = () => { throw new DOMException("no", "SecurityError"); }, open(), auth.ready)`,
      );
      await logIn(tab);
      await sleep(site, HOUR_MS, tab);
      await hasToken(tab);
      const { status, persistence } = await state(tab);
      assert.deepEqual([status, persistence], ["in", "memory"]);
      await tab.close();
    });

    test("a WebSocket opens with the token, and comes back with a fresh one after a sleep", async (t) => {
      const site = await startSite(t);
      const tab = await openTab(site);
      await logIn(tab);
      const url = `${site.api.replace("http", "ws")}/`;
      await tab.evaluate(`void (globalThis.heard = [], globalThis.socket = auth.connect("${url}", {
        onOpen: () => socket.send("hello"), onMessage: (data) => heard.push(data) }))`);
      const heard = async (count: number) =>
        await until(async () => (await tab.evaluate<string[]>("heard")).length === count, `message ${count}`);
      await heard(1);
      await sleep(site, HOUR_MS, tab);
      for (const socket of site.sockets.clients) socket.terminate();
      await heard(2);
      assert.deepEqual(await tab.evaluate("heard"), ["echo hello", "echo hello"]);
      await tab.evaluate("socket.close()");
      await tab.close();
    });
  });
}
