import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "./chromium.ts";
import { startSite, type Site } from "./site.ts";

const BEARER = "base64url.bearer.authorization.k8s.io.";
const carried = (token: string) => BEARER + Buffer.from(token).toString("base64url");
const first = (token: string) => JSON.stringify({ type: "auth.token", token });

interface Fate {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  readonly opened: boolean;
}

describe("Chromium's own WebSocket", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  /** Opens a page of the site or of another origin, and records its console. */
  async function visit(
    t: TestContext,
    site: Site,
    { from = site.origin, cookie }: { from?: string; cookie?: string } = {},
  ): Promise<{ page: Page; console: string[] }> {
    const context = await browser.newContext();
    t.after(async () => await context.close());
    if (cookie !== undefined) await context.addCookies([{ name: "token", value: cookie, url: site.origin }]);
    const page = await context.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    await page.goto(from);
    return { page, console: said };
  }

  /** Opens a WebSocket from a page. `message` is its first message. */
  async function dial(page: Page, { origin }: Site, protocols: string[] = [], message = ""): Promise<void> {
    const room = `${origin.replace("http", "ws")}/room`;
    await page.evaluate(
      `void dial(${JSON.stringify(room)}, ${JSON.stringify(protocols)}, ${JSON.stringify(message)})`,
    );
  }

  const opened = async (page: Page) => await page.evaluate<string>("call.open");
  const closed = async (page: Page) => await page.evaluate<Fate>("call.closed");
  const heard = async (page: Page, count: number) => {
    await page.waitForFunction(`call.heard.length >= ${count}`);
    return await page.evaluate<string[]>("call.heard");
  };
  const accepted = { type: "auth.ok", expires_in: 600, scope: "", degraded: null };

  test("accepts a token among the subprotocols, and selects another subprotocol", async (t) => {
    const site = await startSite(t);
    const { page } = await visit(t, site);
    const token = site.mint.token();
    await dial(page, site, [carried(token), "chat"]);
    assert.equal(await opened(page), "chat");
    assert.deepEqual(JSON.parse((await heard(page, 1))[0] ?? ""), accepted);
    const { headers, rawHeaders } = site.lastRequest() ?? {};
    assert.equal(headers?.["sec-websocket-protocol"], "chat");
    assert.equal(JSON.stringify([headers, rawHeaders]).includes(carried(token)), false);
  });

  test("accepts a token in the first message, closes with 4408 without one and with 4501 for an invalid one", async (t) => {
    const site = await startSite(t);
    const { page } = await visit(t, site);
    await dial(page, site, [], first(site.mint.token()));
    assert.deepEqual(JSON.parse((await heard(page, 1))[0] ?? ""), accepted);
    await dial(page, site);
    await opened(page);
    await site.clock.advance(11_000);
    const silent = { code: 4408, reason: '{"error":"token_missing","retry_after":0.5}' };
    assert.deepEqual(await closed(page), { ...silent, wasClean: true, opened: true });
    await dial(page, site, [], first("nonsense"));
    const bad = { code: 4501, reason: '{"error":"invalid_token"}' };
    assert.deepEqual(await closed(page), { ...bad, wasClean: true, opened: true });
  });

  test("fault 53: a cookie is accepted from the page of its own site, and from no other page that sends it", async (t) => {
    const site = await startSite(t);
    const cookie = site.mint.token();
    const own = await visit(t, site, { cookie });
    await dial(own.page, site);
    assert.deepEqual(JSON.parse((await heard(own.page, 1))[0] ?? ""), accepted);
    const foreign = await visit(t, site, { cookie, from: site.foreignOrigin });
    await dial(foreign.page, site);
    assert.deepEqual(await closed(foreign.page), { code: 1006, reason: "", wasClean: false, opened: false });
    assert.match(foreign.console.join("\n"), /Unexpected response code: 403/);
    assert.equal(site.connections.status().open, 1);
  });

  test("fault 53: a sandboxed frame with the origin null is refused, because the browser sends no cookie", async (t) => {
    const site = await startSite(t);
    const { page } = await visit(t, site, { cookie: site.mint.token() });
    const room = `${site.origin.replace("http", "ws")}/room`;
    const tell = (event: string, what: string) =>
      `socket.on${event} = (e) => parent.postMessage(${what}, "*");`;
    const script = `const socket = new WebSocket("${room}"); ${tell("open", "0")} ${tell("close", "e.code")}`;
    await page.evaluate(`{
      globalThis.told = [];
      onmessage = ({ data }) => told.push(data);
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      frame.srcdoc = ${JSON.stringify(`<script>${script}</script>`)};
      document.body.append(frame);
    }`);
    await page.waitForFunction("told.length === 1");
    await site.clock.advance(11_000);
    await page.waitForFunction("told.length === 2");
    assert.deepEqual(await page.evaluate("told"), [0, 4408]);
  });

  test("fault 48: refreshes over the connection lose no message, and the expiry of the last token closes with 4401", async (t) => {
    const site = await startSite(t);
    const { page } = await visit(t, site);
    await dial(page, site, [carried(site.mint.token()), "chat"]);
    await heard(page, 1);
    const tokens = Array.from({ length: 5 }, () => first(site.mint.token()));
    await page.evaluate(`{
      const tokens = ${JSON.stringify(tokens)};
      let n = 0;
      const say = (times) => { while (times-- > 0) call.socket.send(String(n++)); };
      const refresh = ({ data }) => {
        if (!data.includes("auth.ok")) return;
        say(10);
        if (tokens.length > 0) call.socket.send(tokens.pop());
        say(10);
      };
      call.socket.addEventListener("message", refresh);
      refresh({ data: "auth.ok" });
    }`);
    const all = await heard(page, 120 + 6);
    const echoes = all.filter((text) => !text.startsWith("{"));
    const wanted = Array.from({ length: 120 }, (_, i) => String(i));
    assert.deepEqual([echoes, site.said], [wanted, wanted]);
    assert.equal(site.connections.status().refreshed, 5);
    await site.clock.advance(606_000);
    const over = { code: 4401, reason: '{"error":"token_expired","retry_after":0.5}' };
    assert.deepEqual(await closed(page), { ...over, wasClean: true, opened: true });
    assert.match((await page.evaluate<string[]>("call.heard")).at(-1) ?? "", /auth\.expiring/);
  });

  test("fault 50: the token of another subject closes with 4504; law 3: a revocation closes with 4503", async (t) => {
    const site = await startSite(t);
    const { page } = await visit(t, site);
    await dial(page, site, [], first(site.mint.token({ sub: "alice" })));
    await heard(page, 1);
    await page.evaluate(`call.socket.send(${JSON.stringify(first(site.mint.token({ sub: "bob" })))})`);
    const other = { code: 4504, reason: '{"error":"other_subject"}' };
    assert.deepEqual(await closed(page), { ...other, wasClean: true, opened: true });
    await dial(page, site, [], first(site.mint.token({ sub: "alice" })));
    await heard(page, 1);
    await site.revoke("alice");
    const revoked = { code: 4503, reason: '{"error":"token_revoked"}' };
    assert.deepEqual(await closed(page), { ...revoked, wasClean: true, opened: true });
  });

  for (const transport of ["websocket", "polling"]) {
    test(`fault 48: the socket.io client in the page, over ${transport}, refreshes over its connection and is then revoked`, async (t) => {
      const site = await startSite(t);
      const { page } = await visit(t, site);
      const token = () => site.mint.token({ sub: "alice" });
      const options = { transports: [transport], auth: { token: token() } };
      const joined = await page.evaluate<boolean>(`new Promise((resolve) => {
        globalThis.client = io(${JSON.stringify(options)});
        client.on("connect", () => resolve(true));
        client.on("connect_error", () => resolve(false));
      })`);
      assert.equal(joined, true);
      const outcome = await page.evaluate<{ type: string }>(`{
        for (let i = 0; i < 10; i++) client.emit("say", i);
        const answer = client.emitWithAck("auth.token", ${JSON.stringify(token())});
        for (let i = 10; i < 20; i++) client.emit("say", i);
        answer;
      }`);
      assert.equal(outcome.type, "auth.ok");
      await page.evaluate(`client.emitWithAck("auth.token", ${JSON.stringify(token())})`);
      assert.deepEqual(
        site.said,
        Array.from({ length: 20 }, (_, i) => String(i)),
      );
      const told = page.evaluate(`new Promise((resolve) => {
        const said = [];
        client.on("auth.closed", (what) => said.push(what));
        client.on("disconnect", (why) => resolve([...said, why, client.active]));
      })`);
      await page.evaluate("0"); // The listeners are registered now.
      await site.revoke("alice");
      const closing = { code: 4503, error: "token_revoked" };
      assert.deepEqual(await told, [closing, "io server disconnect", false]);
    });
  }
});
