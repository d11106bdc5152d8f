import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { noChromium, startChromium } from "../browser/chromium.ts";
import { call, newProfile, openTab, startSite, type Site } from "./site.ts";
import { bundle } from "./web-app.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Snippet {
  readonly page: string;
  readonly language: "ts" | "jsx" | "html";
  readonly code: string;
}

/** The code of the two pages that another test does not run. */
const snippets: readonly Snippet[] = ["docs/clients/browser.md", "docs/clients/react.md"].flatMap((page) =>
  [...readFileSync(root + page, "utf8").matchAll(/^```(ts|jsx|html)\n([^]*?)^```/gm)].map((found) => ({
    page,
    language: found[1] as Snippet["language"],
    code: found[2] ?? "",
  })),
);

/** What each test of this file runs: a part of the code that only one snippet has. */
const marks = {
  first: "const orders = await auth.fetch",
  plainPage: `"/holdfast/index.js"`,
  state: "function render()",
  login: "async function logIn",
  socket: "auth.connect(",
  cookies: `mode: "cookie",`,
  storage: "declare const disk",
  react: "createRoot(",
};

function find(mark: string): Snippet {
  const found = snippets.filter(({ code }) => code.includes(mark));
  assert.equal(found.length, 1, `snippets with ${mark}`);
  return found[0] as Snippet;
}

test("each snippet of docs/clients/browser.md and docs/clients/react.md is run in a browser by a test", () => {
  const run = new Set(Object.values(marks).map(find));
  for (const snippet of snippets) assert.ok(run.has(snippet), `${snippet.page}: ${snippet.code}`);
});

describe("a snippet of the client's documentation, in Chromium", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  const ann = { username: "ann", password: "correct horse battery" };

  async function start(
    t: TestContext,
    hasCookies = false,
  ): Promise<{ site: Site; tab: Page; logs: string[] }> {
    const authenticate = ({ username, password }: Readonly<Record<string, unknown>>) =>
      username === ann.username && password !== "wrong" ? { subject: "ann", scopes: [] } : null;
    const site = await startSite(t, { authenticate }, hasCookies);
    const tab = await openTab(await newProfile(t, browser), site);
    const logs: string[] = [];
    tab.on("console", (message) => logs.push(message.text()));
    return { site, tab, logs };
  }

  /** Runs a snippet as a module of the page, with the addresses of the site. The names become global. */
  async function run(site: Site, tab: Page, mark: string, names: string, header = ""): Promise<void> {
    const { code, language } = find(mark);
    const script =
      language === "html" ? (/<script type="module">([^]*)<\/script>/.exec(code)?.[1] ?? "") : code;
    const addresses: readonly [string, string][] = [
      ["https://id.example.com:8443", site.api],
      ["https://id.example.com", site.id],
      ["http://127.0.0.1:4180", site.id],
      ["/holdfast/index.js", "holdfast/client"],
      ["wss://chat.example.com", site.api.replace("http", "ws")],
      ["https://chat.example.com", site.api],
      ["https://api.example.com", site.api],
    ];
    const local = addresses.reduce((text, [from, to]) => text.replaceAll(from, to), script);
    const contents = `${header}\n${local}\nObject.assign(globalThis, { ${names} });`;
    const loader = language === "jsx" ? "jsx" : "ts";
    const module = await bundle({ stdin: { contents, resolveDir: root, loader }, jsx: "automatic" });
    await tab.evaluate(
      async (text) => void (await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })))),
      module,
    );
  }

  const shows = async (tab: Page, text: string) =>
    await tab.waitForFunction(`document.body.textContent === ${JSON.stringify(text)}`);

  test("the first one logs in, and sends the token to the API", async (t) => {
    const { site, tab } = await start(t);
    await run(site, tab, marks.first, "auth, orders");
    assert.deepEqual(await tab.evaluate(`[auth.state.status, orders.status]`), ["in", 200]);
    assert.equal(site.tokens.size, 1);
  });

  test("the plain page shows the state in its title", async (t) => {
    const { site, tab } = await start(t);
    await run(site, tab, marks.plainPage, "auth");
    await tab.waitForFunction(`document.title === "out"`);
    await call.login(tab);
    await tab.waitForFunction(`document.title === "in"`);
  });

  test("the state shows a login, a bar in an outage, and the user all the time", async (t) => {
    const { site, tab } = await start(t);
    await run(site, tab, marks.state, "auth");
    await shows(tab, "Please log in.");
    await call.login(tab);
    await shows(tab, "You are logged in.");
    site.faults.set("/auth/refresh", (res) => void res.writeHead(503).end());
    assert.equal(await call.token(tab, "{ fresh: true }"), "Unavailable: http_5xx");
    await shows(tab, "The service cannot be reached. You are logged in.");
    await call.logout(tab);
    await shows(tab, "Please log in again.");
  });

  test("the login tells a wrong password from an outage", async (t) => {
    const { site, tab } = await start(t);
    await run(site, tab, marks.login, "logIn");
    assert.equal(await tab.evaluate(`logIn("ann", "wrong")`), "The password is wrong.");
    site.faults.set("/auth/login", (res) => void res.writeHead(502).end("<h1>Bad gateway</h1>"));
    assert.equal(await tab.evaluate(`logIn("ann", "right")`), "Please try again later.");
    site.faults.clear();
    assert.equal(await tab.evaluate(`logIn("ann", "right")`), "Welcome!");
  });

  test("the socket sends a message that waited, receives, and tells why it ended", async (t) => {
    const { site, tab, logs } = await start(t);
    await call.login(tab);
    await run(site, tab, marks.socket, "socket");
    await tab.waitForFunction(`socket.state === "open"`);
    while (!logs.includes("echo hello")) await tab.evaluate(`0`);
    for (const socket of site.sockets.clients) {
      socket.close(4502, JSON.stringify({ error: "insufficient_scope" }));
    }
    await tab.waitForFunction(`socket.state === "ended"`);
    while (!logs.includes("closed for good: 4502 insufficient_scope")) await tab.evaluate(`0`);
  });

  test("the client in cookie mode lists the session that it began", async (t) => {
    const { site, tab } = await start(t, true);
    await run(site, tab, marks.cookies, "auth, sessions");
    assert.deepEqual(await tab.evaluate(`[auth.peek(), sessions.length, sessions[0].current]`), [
      null,
      1,
      true,
    ]);
  });

  test("a storage of one's own keeps the session for the next start", async (t) => {
    const { site, tab } = await start(t);
    await tab.evaluate(`globalThis.disk = {
      text: null,
      read: () => Promise.resolve(disk.text),
      write: (text) => Promise.resolve(void (disk.text = text)),
    }`);
    await run(site, tab, marks.storage, "auth");
    assert.equal(await call.login(tab), "ok");
    const token = await call.token(tab);
    assert.ok((await tab.evaluate<string>(`disk.text`)).includes(token));
    await run(site, tab, marks.storage, "auth");
    assert.equal(await call.token(tab), token);
    assert.equal(site.count("/auth/login"), 1);
  });

  test("the application of React logs in, loads orders, shows a bar in an outage, and logs out", async (t) => {
    const { site, tab } = await start(t);
    await tab.evaluate(`document.body.innerHTML = '<div id="root"></div>'`);
    await run(
      site,
      tab,
      marks.react,
      "auth: client",
      `import { useEffect, useState } from "react";
      const LoginForm = ({ onSubmit }) => <button onClick={() => onSubmit(${JSON.stringify(ann)})}>Log in</button>;
      const Orders = ({ load }) => {
        const [status, setStatus] = useState(null);
        useEffect(() => void load().then((response) => setStatus(response.status)), []);
        return <p>orders: {status}</p>;
      };`,
    );
    await tab.getByRole("button", { name: "Log in" }).click();
    await tab.getByText("orders: 200").waitFor();
    site.faults.set("/auth/refresh", (res) => void res.writeHead(503).end());
    assert.equal(await call.token(tab, "{ fresh: true }"), "Unavailable: http_5xx");
    await tab.getByRole("status").waitFor();
    await tab.getByRole("button", { name: "Log out ann" }).click();
    await tab.getByRole("button", { name: "Log in" }).waitFor();
  });
});
