import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noChromium, startChromium } from "./chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test(
  "the plain page logs in, calls its API and logs out in two tabs, without an error in the console",
  { skip: noChromium },
  async (t) => {
    const args = ["--conditions=holdfast-source", "examples/plain-page/server.ts"];
    const env = { ...process.env, PORT: "0" };
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
    t.after(async () => {
      const exited = once(child, "exit");
      child.kill();
      await exited;
    });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    const url = /^page: +(\S+)/.exec(line)?.[1] ?? "";
    const browser = await startChromium();
    t.after(async () => await browser.close());
    const context = await browser.newContext();
    const errors: string[] = [];
    const open = async () => {
      const page = await context.newPage();
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      await page.goto(url);
      return page;
    };
    const page = await open();
    await page.getByText("Please log in.").waitFor();
    await page.getByLabel("Name").fill("alice");
    await page.getByLabel("Password").fill("wonderland");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("You are alice.").waitFor();
    await page.getByRole("button", { name: "Greet me" }).click();
    await page.getByText("Hello alice.").waitFor();
    const other = await open();
    await other.getByText("You are alice.").waitFor();
    await other.getByRole("button", { name: "Log out" }).click();
    await page.getByText("Please log in.").waitFor();
    assert.deepEqual(errors, []);
  },
);
