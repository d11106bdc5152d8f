import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { call, newProfile, openTab, startSite, type Site } from "./site.ts";

/** Lets other work run in the page. */
const A_MOMENT = `new Promise((resolve) => setTimeout(resolve, 20))`;
const REFRESH = "/auth/refresh";

describe("a connection of the client in Chromium", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  /** Opens a tab that is logged in and connected. The page records what its socket tells. */
  async function connect(t: TestContext, site: Site, options = "", user = "ann"): Promise<Page> {
    const tab = await openTab(await newProfile(t, browser), site, { options: "{ random: () => 0.05 }" });
    await call.login(tab, user);
    await tab.evaluate(`{
      globalThis.heard = [];
      globalThis.opened = 0;
      globalThis.lost = [];
      globalThis.socket = auth.connect("${site.api.replace("http", "ws")}/room", {
        onMessage: (data) => heard.push(data),
        onOpen: () => opened++,
        onLost: (code) => lost.push(code),
        onEnd: (end) => (globalThis.end = end),
        ${options}
      });
      globalThis.sent = ["a", "b", "c"].map((text) => socket.send(text));
    }`);
    return tab;
  }

  const ended = async (tab: Page) => {
    await tab.waitForFunction(`socket.state === "ended"`);
    return await tab.evaluate(`end`);
  };

  for (const firstMessage of [false, true]) {
    const way = firstMessage ? "the first message" : "a subprotocol";
    test(`sends the token in ${way}, queues messages until then, and hides those of the protocol`, async (t) => {
      const site = await startSite(t);
      const tab = await connect(t, site, `maxQueue: 2, firstMessage: ${firstMessage},`);
      assert.deepEqual(await tab.evaluate(`sent`), [true, true, false]);
      await tab.waitForFunction(`heard.length === 2`);
      assert.deepEqual(await tab.evaluate(`[heard, opened, socket.state]`), [
        ["echo a", "echo b"],
        1,
        "open",
      ]);
      await tab.evaluate(`socket.close()`);
      assert.deepEqual(await ended(tab), { code: 1000, error: "" });
      assert.equal(await tab.evaluate(`socket.send("d")`), false);
    });
  }

  test("a page that wakes while its socket connects, as a page that was just opened does, stays connected", async (t) => {
    const site = await startSite(t);
    const wakesAtOnce = `globalThis.WebSocket = class extends WebSocket {
      constructor(...given) {
        super(...given);
        queueMicrotask(() => dispatchEvent(new Event("pageshow")));
      }
    };`;
    const tab = await openTab(await newProfile(t, browser), site, { prepare: wakesAtOnce });
    await call.login(tab);
    const url = `${site.api.replace("http", "ws")}/room`;
    await tab.evaluate(`{
      globalThis.ends = [];
      globalThis.socket = auth.connect("${url}", { onEnd: (end) => ends.push(end) });
    }`);
    await tab.waitForFunction(`socket.state !== "waiting"`);
    assert.deepEqual(await tab.evaluate(`[socket.state, ends]`), ["open", []]);
  });

  test("fault 48: short tokens are renewed over the connection, which stays open", async (t) => {
    const site = await startSite(t, { accessTokenTtlMs: 4_000 });
    const tab = await connect(t, site);
    await tab.waitForFunction(`opened === 1`);
    while (site.connections.status().refreshed < 2) await tab.evaluate(A_MOMENT);
    await tab.evaluate(`socket.send("still here")`);
    await tab.waitForFunction(`heard.includes("echo still here")`);
    assert.deepEqual(await tab.evaluate(`[opened, lost]`), [1, []]);
    assert.equal((await call.state(tab))["status"], "in");
  });

  test("connects again after a broken connection and a refused handshake, with one fresh token", async (t) => {
    const site = await startSite(t);
    const tab = await connect(t, site);
    await tab.waitForFunction(`opened === 1`);
    site.refusesSockets = true;
    for (const socket of site.sockets.clients) socket.terminate();
    await tab.waitForFunction(`lost.length === 1`);
    await tab.evaluate(`socket.send("later")`);
    while (site.count(REFRESH) === 0) await tab.evaluate(A_MOMENT);
    const refusedCount = site.refusedSockets;
    while (site.refusedSockets < refusedCount + 2) await tab.evaluate(A_MOMENT);
    assert.equal(site.count(REFRESH), 1, "the service is down, and the token is not the cause");
    site.refusesSockets = false;
    await tab.waitForFunction(`heard.includes("echo later")`);
    assert.deepEqual(await tab.evaluate(`[opened, lost, socket.state]`), [2, [1006], "open"]);
  });

  test("comes back after a shutdown of the server, with the code of the close frame", async (t) => {
    const site = await startSite(t);
    const tab = await connect(t, site);
    await tab.waitForFunction(`opened === 1`);
    for (const socket of site.sockets.clients) {
      socket.close(4453, JSON.stringify({ error: "try_later", retry_after: 0.1 }));
    }
    await tab.waitForFunction(`opened === 2`);
    assert.deepEqual(await tab.evaluate(`lost`), [4453]);
    assert.equal(site.count(REFRESH), 0, "the same token is presented again");
    for (const socket of site.sockets.clients) {
      socket.close(4502, JSON.stringify({ error: "insufficient_scope" }));
    }
    assert.deepEqual(await ended(tab), { code: 4502, error: "insufficient_scope" });
  });

  test("a revoked token is replaced once, and the end of the session ends the connection", async (t) => {
    const site = await startSite(t);
    const tab = await connect(t, site);
    await tab.waitForFunction(`opened === 1`);
    const close = () => {
      for (const socket of site.sockets.clients)
        socket.close(4503, JSON.stringify({ error: "token_revoked" }));
    };
    close();
    await tab.waitForFunction(`opened === 2`);
    assert.equal(site.count(REFRESH), 1);
    await site.endSessions();
    assert.deepEqual(await ended(tab), { code: 1000, error: "" });
    assert.deepEqual(await call.state(tab), { status: "out", cause: "invalid_grant" });
  });

  test("a logout ends the connection, and so does the login of another user", async (t) => {
    const site = await startSite(t);
    const tab = await connect(t, site);
    await tab.waitForFunction(`opened === 1`);
    await call.login(tab, "bob");
    assert.deepEqual(await ended(tab), { code: 4504, error: "other_subject" });
    const other = await connect(t, site);
    await other.waitForFunction(`opened === 1`);
    await call.logout(other);
    assert.deepEqual(await ended(other), { code: 1000, error: "" });
  });

  test("waits while the device is offline, and connects as soon as it is online", async (t) => {
    const site = await startSite(t);
    const tab = await connect(t, site);
    await tab.waitForFunction(`opened === 1`);
    await tab.context().setOffline(true);
    for (const socket of site.sockets.clients) socket.terminate();
    await tab.waitForFunction(`lost.length === 1`);
    assert.equal(await tab.evaluate(`socket.state`), "waiting");
    await tab.context().setOffline(false);
    await tab.waitForFunction(`opened === 2`);
  });

  test("refuses an origin that is not listed", async (t) => {
    const site = await startSite(t);
    const tab = await connect(t, site);
    for (const url of [
      "ws://127.0.0.1:1/room",
      `${site.app}/room`,
      "ftp://127.0.0.1/",
      `blob:${site.api}/x`,
    ]) {
      const outcome = await tab.evaluate<string>(
        `{ try { auth.connect("${url}"); "open" } catch (e) { String(e) } }`,
      );
      assert.match(outcome, /^TypeError: connect/, url);
    }
  });
});
