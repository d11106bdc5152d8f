import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "./chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Starts the example by its command. Resolves with the address of its page. */
async function startExample(t: TestContext): Promise<string> {
  const args = ["--conditions=holdfast-source", "examples/websocket-chat/server.ts"];
  const env = { ...process.env, PORT: "0", AUTH_PORT: "0" };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    const exited = once(child, "exit");
    child.kill();
    await exited;
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /^chat: +(\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error("the example ended");
}

/** Opens a window with its own session. An error in the page fails the test. */
async function open(browser: Browser, url: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => assert.fail(error));
  await page.goto(url);
  return page;
}

async function logIn(page: Page, name: string, password: string): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await press(page, "Log in");
}

async function enter(browser: Browser, url: string, name: string, password: string): Promise<Page> {
  const page = await open(browser, url);
  await logIn(page, name, password);
  await statusOf(page, `${name}, in the room`).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

async function press(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name }).click();
}

const statusOf = (page: Page, text: string | RegExp) => page.getByRole("status").filter({ hasText: text });
const messageOn = (page: Page, text: string) => page.locator("#messages").getByText(text);

test(
  "the chat continues without its provider and shows that, and a revoked user is closed and does not reconnect",
  { skip: noChromium },
  async (t) => {
    const url = await startExample(t);
    const browser = await startChromium();
    t.after(async () => await browser.close());
    const alice = await enter(browser, url, "alice", "wonderland");
    const bob = await enter(browser, url, "bob", "builder");
    await say(alice, "hello bob");
    await messageOn(bob, "hello bob").waitFor();

    await press(alice, "Pull the plug");
    await statusOf(alice, "Degraded").waitFor();
    await statusOf(bob, "Degraded").waitFor();
    await say(bob, "still here");
    await messageOn(alice, "still here").waitFor();

    await bob.reload();
    await statusOf(bob, "Degraded").waitFor();
    const stranger = await open(browser, url);
    await logIn(stranger, "alice", "wonderland");
    await stranger.getByText("The provider does not answer").waitFor();
    await statusOf(stranger, "not logged in").waitFor();

    await press(alice, "Plug in");
    await statusOf(alice, /in the room$/).waitFor();
    await statusOf(bob, /in the room$/).waitFor();

    await press(alice, "Revoke bob");
    await statusOf(bob, "closed with 4503: the session was revoked. Log in again.").waitFor();
    await alice.getByRole("heading", { name: "In the room: alice", exact: true }).waitFor();
    await say(alice, "bye");
    await messageOn(alice, "bye").waitFor();
    assert.doesNotMatch(await bob.evaluate<string>("JSON.stringify({ ...sessionStorage })"), /hfr_|eyJ/);
    await bob.reload();
    await bob.getByLabel("Password").waitFor();
    assert.equal(await messageOn(alice, "bob came").count(), 2); // The second message comes after the reload.
  },
);
