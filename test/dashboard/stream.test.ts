import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { createLogger } from "../../src/server/logs.ts";
import { startService } from "../../src/server/serve.ts";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { temporarySettings } from "../server/temporary-settings.ts";
import { freePort } from "../support/free-port.ts";
import { frameLike, startControlledStream } from "./controlled-stream.ts";
import { openDashboard, openView, startWatchedService } from "./dashboard-page.ts";

let browser: Browser;

before(async () => {
  if (noChromium === false) browser = await startChromium();
});
after(async () => await browser?.close());

test(
  "law 10: a store that is locked is in the headline of every view, and its repair is, too",
  { skip: noChromium },
  async (t) => {
    const settings = await temporarySettings();
    const { adminAddress, stop } = await startService(settings, createLogger("silent"));
    t.after(stop);
    const { page } = await openDashboard(t, browser, adminAddress);
    const other = new DatabaseSync(join(settings.dataDir, "holdfast.db"));
    other.exec("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE");
    await page.locator(".headline:is(.tone-degraded, .tone-failing)").waitFor({ timeout: 60_000 });
    assert.match(await page.locator(".headline").innerText(), /store|lock/i);
    assert.match(await page.title(), /store|lock/i);
    await page.getByRole("heading", { name: "Parts with a problem" }).waitFor();
    await openView(page, "Timeline");
    await page.locator(".headline:is(.tone-degraded, .tone-failing)").waitFor();
    other.exec("ROLLBACK");
    other.close();
    await page.locator(".headline.tone-ok").waitFor({ timeout: 60_000 });
    assert.equal(await page.title(), "Timeline · Holdfast");
  },
);

test(
  "a page that loses its service says since when, shows old numbers as old, and follows the next process",
  { skip: noChromium },
  async (t) => {
    const settings = { ...(await temporarySettings()), adminPort: await freePort() };
    const first = await startService(settings, createLogger("silent"));
    t.after(first.stop);
    const { page } = await openDashboard(t, browser, first.adminAddress);
    await first.stop();
    const notice = page.getByRole("alert");
    await notice.waitFor();
    assert.match(await notice.innerText(), /The page gets no updates\..* the state of \d\d:\d\d:\d\d/s);
    assert.equal(await page.locator(".stale .headline").count(), 1);
    const second = await startService(settings, createLogger("silent"));
    t.after(second.stop);
    await notice.waitFor({ state: "detached", timeout: 60_000 });
    assert.equal(await page.locator(".stale").count(), 0);
  },
);

test(
  "an exposed listener asks for its token, and a wrong one is refused",
  { skip: noChromium },
  async (t) => {
    const token = "0123456789abcdefghijklmnopqrstuv";
    const more = { HOLDFAST_ADMIN_HOST: "0.0.0.0", HOLDFAST_ADMIN_TOKEN: token };
    const { adminAddress } = await startWatchedService(t, more);
    const page = await browser.newPage();
    t.after(async () => await page.close());
    await page.goto(`http://127.0.0.1:${new URL(adminAddress).port}`);
    const field = page.getByLabel("Token of the listener");
    await field.fill(`${token}x`);
    await page.getByRole("button", { name: "Open the dashboard" }).click();
    await page.getByText("The service refused this token.").waitFor();
    assert.equal(await page.locator(".headline").count(), 0);
    await field.fill(token);
    await page.getByRole("button", { name: "Open the dashboard" }).click();
    await page.locator(".headline").waitFor();
    // The token is in the memory of the page alone.
    await page.reload();
    await field.waitFor();
    assert.doesNotMatch(
      await page.evaluate("JSON.stringify([document.cookie, location.href])"),
      /0123456789/,
    );
  },
);

test(
  "a screen reader hears of the headline at most once in ten seconds, and the last one",
  { skip: noChromium },
  async (t) => {
    const { adminAddress } = await startWatchedService(t);
    const { origin, snapshot, send } = await startControlledStream(t, adminAddress);
    const page = await browser.newPage();
    t.after(async () => await page.close());
    await page.clock.install();
    await page.goto(origin);
    const said = page.getByRole("status");
    const at = snapshot.frame.at;
    await send("snapshot", { ...snapshot, frame: frameLike(snapshot.frame, at, { text: "All is well" }) });
    await page.locator(".headline", { hasText: "All is well" }).waitFor();
    await page.clock.runFor(100);
    assert.equal(await said.innerText(), "All is well");
    let second = 0;
    const showFor = async (seconds: number, text: string) => {
      for (let count = 0; count < seconds; count++) {
        await send("frame", frameLike(snapshot.frame, at + 1_000 * ++second, { text }));
        await page.locator(".headline", { hasText: text }).waitFor();
        await page.clock.runFor(1_000);
      }
    };
    for (const text of ["one fails", "two fail", "three fail for 8 s"]) {
      await showFor(1, text);
      assert.equal(await said.innerText(), "All is well");
    }
    await showFor(8, "three fail for 8 s");
    assert.equal(await said.innerText(), "three fail for 8 s");
    // A headline that counts on is not read again.
    await showFor(12, "three fail for 9 s");
    assert.equal(await said.innerText(), "three fail for 8 s");
  },
);
