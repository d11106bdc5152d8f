import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { call, newProfile, openTab, startSite } from "./site.ts";

/** Sends 10,000 random addresses through `auth.fetch`. Collects those whose request carried the token. */
const attack = (api: string, id: string) => `(async () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  const pick = (list) => list[random(list.length)];
  const host = ${JSON.stringify(new URL(api).host)};
  const hosts = [host, host.toUpperCase(), host + ".", host + "0", host.split(":")[0], "evil.test", "evil.test:80",
    host + ".evil.test", "evil.test#" + host, "evil.test?" + host, "evil.test/" + host, "evil.test\\\\\\\\" + host,
    "127.1:" + host.split(":")[1], "2130706433:" + host.split(":")[1], "127.0.0.1:1", "[::1]:" + host.split(":")[1],
    "\\u24d4vil.test", "\\u{1d7d9}27.0.0.1:" + host.split(":")[1]];
  const schemes = ["http://", "https://", "HTTP://", "http:/", "http:", "//", "ws://", "blob:http://", "data:,http://",
    "javascript:http://", "filesystem:http://", " http://", "\\thttp://", "http:\\\\\\\\", "view-source:http://", ""];
  const users = ["", "", "", "user@", "user:password@", host + "@", host + ":80@", "%40", "@"];
  const paths = ["", "/", "//", "/..//", "/%2e%2e/", "/@" + host, "?next=http://" + host, "#http://" + host, "\\\\\\\\" + host];
  const leaks = [], listed = [];
  for (let i = 0; i < 10_000; i++) {
    const url = pick(schemes) + pick(users) + pick(hosts) + pick(paths) + pick(paths);
    await auth.fetch(url).catch(() => undefined);
    for (const request of captured.splice(0)) {
      const carried = request instanceof Request && request.headers.has("Authorization");
      if (!carried) continue;
      const { protocol, host } = new URL(request.url);
      // The origin of a WebSocket is that of its handshake.
      const origin = protocol.replace("ws", "http") + "//" + host;
      (origin === ${JSON.stringify(api)} || origin === ${JSON.stringify(id)} ? listed : leaks).push(url);
    }
  }
  return { leaks, listed: listed.length };
})()`;

describe("law 5: the token of the client", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  test("goes to the listed origins only, in 10,000 random addresses", async (t) => {
    const site = await startSite(t);
    const tab = await openTab(await newProfile(t, browser), site, {
      options: `(globalThis.captured = [], globalThis.isCaptured = false, { fetch: (...args) => {
        if (!isCaptured) return fetch(...args);
        captured.push(args[0]);
        return Promise.resolve(new Response());
      } })`,
    });
    await call.login(tab);
    await tab.evaluate(`isCaptured = true`);
    const { leaks, listed } = await tab.evaluate<{ leaks: string[]; listed: number }>(
      attack(site.api, site.id),
    );
    assert.deepEqual(leaks, []);
    assert.ok(listed > 100, `${listed} requests to listed origins had the token`);
  });

  test("is left out for the page itself, and the caller's own Authorization wins", async (t) => {
    const site = await startSite(t);
    const tab = await openTab(await newProfile(t, browser), site);
    await call.login(tab);
    const headers = `{ headers: { Authorization: "Bearer of-the-caller" } }`;
    assert.equal(await tab.evaluate(`auth.fetch("${site.api}/x", ${headers}).then((r) => r.status)`), 401);
    assert.deepEqual([...site.tokens], ["of-the-caller"]);
    assert.deepEqual(site.apiAnswers, [401], "the client does not repeat it");
    await tab.evaluate(`auth.fetch("${site.app}/page")`);
    assert.equal(site.tokens.size, 1);
  });
});
