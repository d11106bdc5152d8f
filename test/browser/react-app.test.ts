import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { noChromium, startChromium } from "./chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Starts the example by its command. Resolves with the address of its page. */
async function startExample(t: TestContext): Promise<string> {
  const args = ["--conditions=holdfast-source", "examples/react-app/server.ts"];
  const env = { ...process.env, PORT: "0", AUTH_PORT: "0" };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    const exited = once(child, "exit");
    child.kill();
    await exited;
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /^page: +(\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error("the example ended");
}

const press = async (page: Page, name: string | RegExp) => await page.getByRole("button", { name }).click();
const shows = async (page: Page, text: string | RegExp) => await page.getByText(text).first().waitFor();

async function logIn(page: Page, name: string, password: string): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await press(page, "Log in");
}

test(
  "the React example logs in, loads data, keeps its feed alive in two tabs through an outage, and ends sessions",
  { skip: noChromium },
  async (t) => {
    const url = await startExample(t);
    const browser = await startChromium();
    t.after(async () => await browser.close());
    const errors: string[] = [];
    const watch = (page: Page) => {
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
    };
    const context = await browser.newContext();
    await context.clock.install();
    const page = await context.newPage();
    watch(page);
    await page.goto(url);
    await logIn(page, "alice", "wonderland");
    await press(page, "Load orders");
    await shows(page, "tea for alice");
    await shows(page, "live");

    const other = await context.newPage();
    watch(other);
    await other.goto(url);
    await shows(other, "live");
    const elsewhere = await (await browser.newContext()).newPage();
    watch(elsewhere);
    await elsewhere.goto(url);
    await logIn(elsewhere, "alice", "wonderland");
    await press(other, "Sessions");
    await shows(other, "Another browser");
    await other.getByRole("listitem").filter({ hasText: "Another browser" }).getByRole("button").click();
    await other.getByText("Another browser").waitFor({ state: "detached" });
    await shows(elsewhere, "Log in");

    // Chromium reports each request that fails, so the outage comes after the check.
    const refusal = /status of 40[01]/;
    assert.deepEqual(
      errors.filter((text) => !refusal.test(text)),
      [],
    );
    await press(page, "Stop the service");
    await context.clock.fastForward(61_000);
    await shows(page, /The service does not answer .*You are still logged in/);
    await shows(page, /connecting again/);
    await press(page, "Start the service");
    await context.clock.fastForward(60_000);
    await page.getByText("You are still logged in").waitFor({ state: "detached" });
    await shows(page, "live");
    await press(page, "Load orders");
    await shows(page, /Loaded at/);

    await press(other, "Log out");
    await shows(page, "You are logged out.");
    await shows(other, "You are logged out.");
  },
);
