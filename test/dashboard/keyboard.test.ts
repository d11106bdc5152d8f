import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { routes } from "../../src/dashboard/data/routes.ts";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { openDashboard, startWatchedService } from "./dashboard-page.ts";

/** The text of the element that has the focus. */
async function focused(page: Page): Promise<string> {
  return await page.evaluate<string>("document.activeElement.innerText.replace(/\\s+/g, ' ').trim()");
}

test(
  "the keyboard reaches every view, in the order in which they are read",
  { skip: noChromium },
  async (t) => {
    const browser = await startChromium();
    t.after(async () => await browser.close());
    const { adminAddress } = await startWatchedService(t);
    const { page } = await openDashboard(t, browser, adminAddress);

    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Skip to the view");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
    await page.keyboard.press("Shift+Tab");
    await page.locator("body").press("Home");

    await page.locator(".skip").focus();
    for (const { title } of routes) {
      await page.keyboard.press("Tab");
      assert.ok((await focused(page)).startsWith(title), `${title} comes next`);
    }
    for (const { title, key, path } of routes) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.locator(`nav [aria-current=page]`, { hasText: title }).waitFor();
      assert.equal(new URL(page.url()).hash, `#${path}`);
    }

    await page.getByRole("link", { name: "Now" }).focus();
    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keys of this page" });
    await help.waitFor();
    for (const { title } of routes) assert.equal(await help.getByText(title, { exact: true }).count(), 1);
    await page.keyboard.press("Escape");
    await help.waitFor({ state: "detached" });
    assert.ok((await focused(page)).startsWith("Now"), "the focus is where it was");

    await page.keyboard.press("g");
    await page.keyboard.press("t");
    const button = page.getByRole("button", { name: "Table of Decisions" });
    await button.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("table", { name: "Decisions" }).waitFor();
    assert.equal(await button.getAttribute("aria-expanded"), "true");
  },
);
