import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { startChromium } from "../browser/chromium.ts";
import type { BrowserSteps } from "../support/walkthrough/follow-page.ts";

/** A visitor of the page of docs/start/keep-a-browser-logged-in.md: what that page tells the reader to do in a browser. */
export async function openShop(): Promise<{ readonly steps: BrowserSteps; close(): Promise<void> }> {
  const browser = await startChromium();
  const context = await browser.newContext();
  const first = await context.newPage();
  const second = await context.newPage();
  const loggedIn = async (page: Page) => await page.getByText("You are logged in.").waitFor();
  const steps: BrowserSteps = {
    "log in and reload": async (portOf) => {
      const url = `http://localhost:${portOf(5173)}`;
      await first.goto(url);
      await first.getByLabel("Name").fill("ann");
      await first.getByLabel("Password").fill("wrong");
      await first.getByRole("button", { name: "Log in" }).click();
      await first.getByText("The name or the password is wrong.").waitFor();
      await first.getByLabel("Password").fill("correct horse battery");
      await first.getByRole("button", { name: "Log in" }).click();
      await loggedIn(first);
      assert.equal(await first.getByRole("status").textContent(), "");
      await first.reload();
      await loggedIn(first);
      await second.goto(url);
      await loggedIn(second);
    },
    "during the outage": async () => {
      await first.reload();
      await loggedIn(first);
      await first.getByRole("button", { name: "My sessions" }).click();
      await first.getByText("The service does not answer.").waitFor();
      await loggedIn(first);
    },
    "after the outage": async () => {
      await first.getByRole("button", { name: "My sessions" }).click();
      await first.getByText("Sessions: 1").waitFor();
    },
    "log out": async () => {
      await second.getByRole("button", { name: "My sessions" }).click();
      await second.getByText("Sessions: 1").waitFor();
      await first.getByRole("button", { name: "Log out" }).click();
      await second.getByRole("button", { name: "Log in" }).waitFor();
      assert.equal(await second.getByRole("status").textContent(), "");
    },
    "call the API": async (portOf) => {
      await first.getByLabel("Name").fill("ann");
      await first.getByLabel("Password").fill("correct horse battery");
      await first.getByRole("button", { name: "Log in" }).click();
      await loggedIn(first);
      const call = `import("/auth.js").then(async ({ auth }) =>
        (await auth.fetch("http://localhost:${portOf(3000)}/orders")).status)`;
      assert.equal(await first.evaluate(call), 200);
    },
  };
  return { steps, close: async () => await browser.close() };
}
