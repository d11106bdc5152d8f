import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { call, newProfile, openTab, sleep, startSite } from "./site.ts";

const HOUR_MS = 3_600_000;
const REFRESH = "/auth/refresh";

/** The folder for screenshots. They are made only when it is set, so that a person can look at them. */
const folder = process.env["HOLDFAST_SCREENSHOTS"];

/** Shows the state as docs/clients/browser.md does. */
const view = `{
  const render = () => {
    const { state } = auth;
    const bar = state.trouble ? "The service cannot be reached (" + state.trouble.cause + "). " : "";
    document.body.textContent = state.status === "in" ? bar + "Hello " + state.subject
      : state.cause === null ? "Please log in." : "Please log in again.";
  };
  auth.subscribe(render);
  render();
}`;

describe("the walk of a user, in Chromium", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  test("law 1: a login, two tabs, a lost answer, 8 h of sleep, an outage and a logout offline", async (t) => {
    const site = await startSite(t);
    const context = await newProfile(t, browser);
    const errors: string[] = [];
    let shots = 0;
    const shows = async (tab: Page, text: string) => {
      await tab.waitForFunction(`document.body.textContent === ${JSON.stringify(text)}`);
      if (folder === undefined) return;
      mkdirSync(folder, { recursive: true });
      await tab.screenshot({ path: `${folder}/walk-${++shots}.png` });
    };
    const open = async () => {
      const tab = await openTab(context, site);
      tab.on("pageerror", (error) => errors.push(String(error)));
      await tab.evaluate(view);
      return tab;
    };
    const one = await open();
    await shows(one, "Please log in.");
    await call.login(one);
    await shows(one, "Hello ann");
    const two = await open();
    await shows(two, "Hello ann");

    // The answer to a refresh is lost, and the laptop sleeps.
    site.faults.set(REFRESH, (res, pass) => {
      res.end = (() => res.socket?.resetAndDestroy()) as never;
      res.write = (() => res.socket?.resetAndDestroy()) as never;
      pass();
    });
    assert.equal(await call.token(one, "{ fresh: true }"), "Unavailable: network");
    await shows(one, "The service cannot be reached (network). Hello ann");
    site.faults.clear();
    await sleep(site, 8 * HOUR_MS, one, two);
    await one.evaluate(`recovered()`);
    await shows(one, "Hello ann");
    assert.equal(await two.evaluate(`auth.fetch("${site.api}/orders").then((r) => r.status)`), 200);

    // The service is unplugged.
    site.faults.set(REFRESH, (res) => void res.writeHead(502).end("<h1>Bad gateway</h1>"));
    await sleep(site, HOUR_MS, one, two);
    assert.equal(await call.token(two), "Unavailable: http_5xx");
    await shows(two, "The service cannot be reached (http_5xx). Hello ann");
    site.faults.clear();
    await two.evaluate(`recovered()`);
    await shows(two, "Hello ann");

    // The user logs out offline, closes the browser, and starts it again.
    await context.setOffline(true);
    await call.logout(one);
    for (const tab of [one, two]) await shows(tab, "Please log in again.");
    for (const tab of [one, two]) await tab.close();
    await context.setOffline(false);
    assert.equal(await site.liveSessions(), 1);
    const next = await open();
    await shows(next, "Please log in again.");
    while ((await site.liveSessions()) > 0)
      await next.evaluate(`new Promise((done) => setTimeout(done, 20))`);
    assert.equal(await site.hasAlarm(), false);
    assert.deepEqual(errors, []);
  });
});
