import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { createAuthClient } from "../../../src/client/index.ts";
import { AuthProvider, useAuth } from "../../../src/client/react.ts";
import { noChromium, startChromium } from "../../browser/chromium.ts";
import { bundle, startWebApp } from "../web-app.ts";

test("the server renders a page before the session is known, and sends no request", () => {
  let requests = 0;
  const client = createAuthClient({
    baseUrl: "https://id.example.com",
    storage: "memory",
    fetch: async () => {
      requests++;
      return await Promise.reject(new Error("no network"));
    },
  });
  const Status = () => createElement("p", null, useAuth().state.status);
  assert.equal(
    renderToString(createElement(AuthProvider, { client }, createElement(Status))),
    "<p>loading</p>",
  );
  assert.equal(requests, 0);
  client.close();
});

test("a component outside of the provider gets an error that names the provider", () => {
  const Status = () => createElement("p", null, useAuth().state.status);
  assert.throws(() => renderToString(createElement(Status)), /useAuth: .* AuthProvider/);
});

describe("a page of React in StrictMode, in Chromium", { skip: noChromium }, () => {
  let browser: Browser;
  let script = "";
  before(async () => {
    browser = await startChromium();
    script = await bundle({ entryPoints: [fileURLToPath(new URL("page.ts", import.meta.url))] });
  });
  after(async () => await browser.close());

  const shows = async (page: Page, text: string) => await page.getByRole("button", { name: text }).waitFor();

  test("mounting, effects and renders send no request, and every tab follows the session", async (t) => {
    const app = await startWebApp(t, browser, { files: { "/page.js": script } });
    const { requests } = app;
    const open = async () => {
      const tab = await app.open();
      await tab.evaluate("mount()");
      return tab;
    };
    const page = await open();
    await shows(page, "out, 0 clicks");
    assert.deepEqual(requests, []);

    await page.evaluate("client.login({ username: 'ann' })");
    await shows(page, "in: ann, 0 clicks");
    const other = await open();
    await shows(other, "in: ann, 0 clicks");
    await other.getByRole("button").click();
    await shows(other, "in: ann, 1 clicks");
    assert.deepEqual(requests, ["POST /auth/login"]);
    const isOneObject = "new Set(renders.filter(({ state }) => state.status === 'in')).size === 1";
    assert.equal(
      await other.evaluate<boolean>(isOneObject),
      true,
      "a render without a change made a new object",
    );

    await page.evaluate("client.logout()");
    await shows(other, "out, 1 clicks");
    await shows(page, "out, 0 clicks");
    // Each tab may send the logout, because the other one may be gone.
    assert.deepEqual([...new Set(requests)], ["POST /auth/login", "POST /auth/logout"]);
  });
});
