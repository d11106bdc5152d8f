import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { noOpenssl } from "../gateway/certificate.ts";
import { noChromium, startChromium } from "./chromium.ts";
import { resolveHere, startCookieSite, type CookieSite } from "./cookie-site.ts";

/** What a request of a page came to. The status is `null` when the page could not read the answer. */
interface Outcome {
  readonly status: number | null;
  readonly text: string;
}

describe("a session in cookies, in Chromium", { skip: noChromium || noOpenssl }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium([resolveHere]);
  });
  after(async () => await browser.close());

  async function setUp(t: TestContext): Promise<{ site: CookieSite; context: BrowserContext }> {
    const site = await startCookieSite(t);
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    t.after(async () => await context.close());
    return { site, context };
  }

  async function open(context: BrowserContext, url: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  /** Sends a request from the page. Without a body it has no type. */
  async function request(page: Page, url: string, init: object): Promise<Outcome> {
    const source = `fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(
      async (response) => ({ status: response.status, text: await response.text() }),
      (error) => ({ status: null, text: String(error) }))`;
    return await page.evaluate<Outcome>(source);
  }

  /** Sends a request as the listed page does. */
  async function call(
    page: Page,
    { id }: CookieSite,
    method: string,
    path: string,
    body?: object,
  ): Promise<Outcome> {
    const headers = { "X-Holdfast": "1", ...(body && { "Content-Type": "application/json" }) };
    const sent = { method, credentials: "include", headers, ...(body && { body: JSON.stringify(body) }) };
    return await request(page, id + path, sent);
  }

  const kept = async (context: BrowserContext) =>
    (await context.cookies())
      .map(({ name, value, path, domain }) => `${name}=${value}; ${domain}${path}`)
      .toSorted();

  test("a listed page logs in, refreshes in two tabs and logs out, and no script sees a token", async (t) => {
    const { site, context } = await setUp(t);
    const page = await open(context, site.app);
    const login = await call(page, site, "POST", "/auth/login", { username: "ann" });
    assert.equal(login.status, 200, login.text);
    assert.doesNotMatch(login.text, /hfr_|eyJ/);
    assert.equal(await page.evaluate("document.cookie"), "");
    const cookies = (await context.cookies()).toSorted((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(
      cookies.map(({ name, path, httpOnly, secure, sameSite }) => [name, path, httpOnly, secure, sameSite]),
      [
        ["__Host-hf_at", "/", true, true, "Strict"],
        ["__Host-hf_sid", "/", true, true, "Strict"],
        ["__Secure-hf_rt", "/auth", true, true, "Strict"],
      ],
    );
    const other = await open(context, site.app);
    for (const tab of [page, other, page]) {
      const refreshed = await call(tab, site, "POST", "/auth/refresh");
      assert.deepEqual(refreshed, { status: 204, text: "" });
    }
    const [one, two] = await Promise.all(
      [page, other].map(async (tab) => await call(tab, site, "POST", "/auth/refresh")),
    );
    assert.deepEqual([one?.status, two?.status], [204, 204]);
    const listed = await call(other, site, "GET", "/auth/sessions");
    assert.equal((JSON.parse(listed.text) as { sessions: unknown[] }).sessions.length, 1);
    assert.equal((await call(other, site, "POST", "/auth/logout")).status, 204);
    assert.deepEqual(await kept(context), []);
    assert.equal((await call(page, site, "POST", "/auth/refresh")).status, 400);
  });

  test("a sibling host that plants cookies does not bring a visitor into the session of a stranger", async (t) => {
    const { site, context } = await setUp(t);
    const stranger = await browser.newContext({ ignoreHTTPSErrors: true });
    t.after(async () => await stranger.close());
    await call(await open(stranger, site.app), site, "POST", "/auth/login", { username: "mallory" });
    const evil = await open(context, site.sibling);
    for (const { name, value } of await stranger.cookies()) {
      const path = name.startsWith("__Host-") ? "/" : "/auth";
      const cookie = `${name}=${value}; Domain=site.test; Path=${path}; Secure`;
      await evil.evaluate(`void (document.cookie = ${JSON.stringify(cookie)})`);
    }
    const names = async () => (await context.cookies()).map(({ name }) => name);
    assert.deepEqual(await names(), ["__Secure-hf_rt"], "the browser keeps __Host- to one host");
    const page = await open(context, site.app);
    assert.equal((await call(page, site, "POST", "/auth/refresh")).status, 400);
    assert.deepEqual(await names(), ["__Secure-hf_rt"]);
    assert.equal((await call(page, site, "POST", "/auth/login", { username: "ann" })).status, 200);
  });

  for (const attacker of ["sibling", "foreign"] as const) {
    const paths = ["/auth/logout", "/auth/logout-all", "/auth/refresh", "/auth/login", "/auth/password"];
    const types = ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"];
    const credentials = JSON.stringify({ username: "mallory" });

    /** Sends everything that a page can send, and asserts that it reads nothing. */
    async function attack(page: Page, site: CookieSite): Promise<void> {
      for (const path of paths) {
        for (const type of types) await submitForm(page, site.id + path, type);
        const simple = { method: "POST", mode: "no-cors", credentials: "include", body: credentials };
        const blind = await request(page, site.id + path, simple);
        assert.ok(blind.status === 0 || blind.status === null, `${path}: ${blind.status}`);
        for (const headers of [{ "X-Holdfast": "1" }, { "Content-Type": "application/json" }, {}]) {
          const full = { method: "POST", credentials: "include", headers, body: credentials };
          assert.equal((await request(page, site.id + path, full)).status, null, path);
        }
      }
      const sessions = `${site.id}/auth/sessions`;
      for (const headers of [{}, { "X-Holdfast": "1" }]) {
        assert.equal((await request(page, sessions, { credentials: "include", headers })).status, null);
      }
      assert.equal(
        (await request(page, `${sessions}/x`, { method: "DELETE", credentials: "include" })).status,
        null,
      );
      assert.equal(await page.evaluate<boolean>(loadElements(sessions)), false);
    }

    /** Submits a form into a frame, and waits for the answer. The field is one that makes a text form look like JSON. */
    async function submitForm(page: Page, action: string, type: string): Promise<void> {
      await page.evaluate(`new Promise((done) => {
        const frame = document.createElement("iframe");
        frame.name = "answer";
        const form = document.createElement("form");
        Object.assign(form, { method: "POST", action: ${JSON.stringify(action)}, enctype: ${JSON.stringify(type)}, target: "answer" });
        const field = document.createElement("input");
        Object.assign(field, { name: '{"username":"mallory","x":"', value: '"}' });
        form.append(field);
        document.body.append(frame, form);
        frame.onload = () => { if (started) { frame.remove(); form.remove(); done(); } };
        let started = false;
        setTimeout(() => { started = true; form.submit(); });
      })`);
    }

    /** Loads the address as image, script and frame. Resolves with whether the page could read anything. */
    const loadElements = (url: string) => `(async () => {
      let read = false;
      for (const name of ["img", "script", "iframe"]) {
        const element = document.createElement(name);
        const settled = new Promise((done) => (element.onload = element.onerror = done));
        element.src = ${JSON.stringify(url)};
        document.body.append(element);
        await settled;
        if (element.naturalWidth > 0) read = true;
        try { if (element.contentDocument?.body.textContent) read = true; } catch {}
      }
      return read;
    })()`;

    test(`a page of a ${attacker} origin cannot end, renew, replace or read a session`, async (t) => {
      const { site, context } = await setUp(t);
      const page = await open(context, site.app);
      await call(page, site, "POST", "/auth/login", { username: "ann" });
      const cookies = await kept(context);
      const evil = await open(context, site[attacker]);
      await attack(evil, site);
      await evil.goto(`${site.id}/auth/sessions`);
      assert.deepEqual(await kept(context), cookies);
      const listed = await call(page, site, "GET", "/auth/sessions");
      assert.equal(listed.status, 200);
      assert.equal((JSON.parse(listed.text) as { sessions: unknown[] }).sessions.length, 1);
      assert.equal((await call(page, site, "POST", "/auth/refresh")).status, 204);
    });

    test(`a page of a ${attacker} origin cannot log a visitor in as another user`, async (t) => {
      const { site, context } = await setUp(t);
      await attack(await open(context, site[attacker]), site);
      assert.deepEqual(await kept(context), []);
    });
  }
});
