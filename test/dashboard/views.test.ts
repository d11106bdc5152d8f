import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { routes } from "../../src/dashboard/data/routes.ts";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { login, verify } from "../support/auth-calls.ts";
import { startControlledStream } from "./controlled-stream.ts";
import { accessibilityFaults, openDashboard, openView, startWatchedService } from "./dashboard-page.ts";

const titles = routes.map(({ title }) => title);
let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

test(
  "every view shows the numbers of the running service, and the browser has no complaint",
  { skip: noChromium },
  async (t) => {
    const { adminAddress, publicAddress } = await startWatchedService(t);
    const { access_token: token } = await login(publicAddress);
    for (let count = 0; count < 20; count++) assert.equal(await verify(publicAddress, token), 200);
    const { page, complaints } = await openDashboard(t, browser, adminAddress);
    assert.match(await page.locator(".headline").innerText(), /well|works/i);
    assert.deepEqual(await page.locator(".step h3").allInnerTexts(), [
      "Token",
      "Memory",
      "Verification",
      "Shared answers",
      "Authority",
      "Degraded mode",
      "Decision",
    ]);
    for (const title of titles) {
      await openView(page, title);
      assert.equal(await page.title(), `${title} · Holdfast`);
      for (const text of await page.locator("main").allInnerTexts()) {
        assert.doesNotMatch(text, /undefined|NaN|\[object/, title);
      }
    }
    assert.deepEqual(complaints, []);
    await openView(page, "Stores");
    const commands = page.getByRole("region", { name: "Commands of the last ten seconds" }).getByRole("row");
    assert.ok((await commands.count()) > 1, "the commands of the login are in the table");
  },
);

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds no fault in any view in the ${colorScheme} colours`, { skip: noChromium }, async (t) => {
    const { adminAddress } = await startWatchedService(t);
    const { page } = await openDashboard(t, browser, adminAddress);
    await page.emulateMedia({ colorScheme });
    for (const title of titles) {
      await openView(page, title);
      assert.deepEqual(await accessibilityFaults(page), [], title);
    }
    await page.keyboard.press("?");
    assert.deepEqual(await accessibilityFaults(page), [], "list of keys");
  });
}

test(
  "the card of an authority says how long it has not answered, and its colour whether it is asked",
  { skip: noChromium },
  async (t) => {
    const { adminAddress } = await startWatchedService(t);
    const { origin, snapshot, send } = await startControlledStream(t, adminAddress);
    const { frame } = snapshot;
    const [issuer] = frame.state.issuers;
    assert.ok(issuer !== undefined);
    const page = await browser.newPage();
    t.after(async () => await page.close());
    await page.goto(`${origin}#keys`);
    for (const [breaker, tone, failingMs, answers] of [
      ["closed", "ok", null, "yes"],
      ["open", "failing", 39_000, "not for 39 s"],
      ["half-open", "degraded", 40_000, "not for 40 s"],
      ["forced open", "degraded", null, "yes"],
    ] as const) {
      const authority = {
        kind: "introspection",
        breaker,
        failingMs,
        retryAfterMs: 0,
        softTimeoutMs: 80,
        inFlight: 0,
        cause: null,
        lastError: null,
      };
      const issuers = [{ ...issuer, authority }];
      await send("snapshot", { ...snapshot, frame: { ...frame, state: { ...frame.state, issuers } } });
      const card = page.locator(".card", {
        has: page.locator(`.tone-${tone}`, { hasText: `breaker ${breaker}` }),
      });
      await card.locator("dt:text-is('answers') + dd", { hasText: answers }).waitFor();
    }
  },
);

test("no view scrolls sideways on a screen of 320 pixels", { skip: noChromium }, async (t) => {
  const { adminAddress } = await startWatchedService(t);
  const { page } = await openDashboard(t, browser, adminAddress);
  await page.setViewportSize({ width: 320, height: 640 });
  for (const title of titles) {
    await openView(page, title);
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320, title);
  }
});
