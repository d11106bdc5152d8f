import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { after, before, describe, test, type TestContext } from "node:test";
import { initTRPC } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import type { Browser, Page } from "playwright-core";
import { WebSocketServer } from "ws";
import { protect, type ConnectedRequest } from "../../../src/adapters/graphql-ws.ts";
import { createConnections } from "../../../src/connections/index.ts";
import { noChromium, startChromium } from "../../browser/chromium.ts";
import { startWebApp, type WebApp, type WebAppOptions } from "../web-app.ts";
import { bundleWithRecipe, recipes } from "./recipe.ts";

test("every recipe is at most 20 lines long", () => {
  assert.ok(recipes.size >= 6);
  for (const [name, code] of recipes) assert.ok(code.trim().split("\n").length <= 20, name);
});

describe("a recipe, in Chromium", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(async () => await browser.close());

  /** Opens a page with the recipe. Its script may use `recipe` and `auth`. */
  async function open(
    t: TestContext,
    name: string,
    script: string,
    more: Omit<WebAppOptions, "files"> & { files?: WebAppOptions["files"] } = {},
  ): Promise<{ app: WebApp; page: Page }> {
    const files = { "/page.js": await bundleWithRecipe(name, script), ...more.files };
    const app = await startWebApp(t, browser, { ...more, files });
    return { app, page: await app.open() };
  }

  const logIn = async (page: Page) => await page.evaluate("auth.login({ username: 'ann' })");
  const showsText = async (page: Page, shown: string) =>
    await page.locator("#root").filter({ hasText: shown }).waitFor();

  test("Vue renders the state, and follows it", async (t) => {
    const script = `
      import { createApp, h } from "vue/dist/vue.runtime.esm-bundler.js";
      createApp({
        setup() {
          const state = recipe.useAuthState(auth);
          return () => h("p", state.value.status === "in" ? "hello " + state.value.subject : state.value.status);
        },
      }).mount("#root");`;
    const { page } = await open(t, "vue", script);
    await showsText(page, "out");
    await logIn(page);
    await showsText(page, "hello ann");
    await page.evaluate("auth.logout()");
    await showsText(page, "out");
  });

  test("Svelte's store has the state, and follows it", async (t) => {
    const script = `
      recipe.authState(auth).subscribe((state) => {
        document.getElementById("root").textContent = state.status === "in" ? "hello " + state.subject : state.status;
      });`;
    const { page } = await open(t, "svelte", script);
    await showsText(page, "out");
    await logIn(page);
    await showsText(page, "hello ann");
    await page.evaluate("auth.logout()");
    await showsText(page, "out");
  });

  test("axios sends the token, and repeats a request with its body after a 401", async (t) => {
    const { app, page } = await open(t, "axios", "globalThis.api = recipe.createApi(auth, origins.api);", {
      api: (request, res) => {
        void text(request).then((body) =>
          res
            .setHeader("Content-Type", "application/json")
            .end(JSON.stringify({ subject: request.auth.subject, body })),
        );
      },
    });
    await logIn(page);
    const got = await page.evaluate<unknown>("api.get('/orders').then(({ data }) => data)");
    assert.deepEqual(got, { subject: "ann", body: "" });
    app.refusals = 1;
    const sent = await page.evaluate<unknown>("api.post('/orders', { item: 7 }).then(({ data }) => data)");
    assert.deepEqual(sent, { subject: "ann", body: '{"item":7}' });
    assert.deepEqual(app.statuses, [200, 401, 200]);
  });

  test("tRPC sends the token, and repeats a call after a 401", async (t) => {
    const trpc = initTRPC.context<{ subject: string }>().create();
    const router = trpc.router({ whoAmI: trpc.procedure.query(({ ctx }) => ctx.subject) });
    const { app, page } = await open(t, "trpc", "globalThis.api = recipe.createApi(auth, origins.api);", {
      api: (request, res) =>
        createHTTPHandler({ router, createContext: () => ({ subject: request.auth.subject }) })(request, res),
    });
    await logIn(page);
    app.refusals = 1;
    assert.equal(await page.evaluate("api.whoAmI.query()"), "ann");
    assert.deepEqual(app.statuses, [401, 200]);
  });

  test("graphql-ws subscribes with a fresh token, and comes back after a closed connection", async (t) => {
    const script = `
      globalThis.ticks = [];
      globalThis.subscribe = () =>
        recipe.createSubscriptions(auth, origins.api.replace("http", "ws")).subscribe(
          { query: "subscription { whoAmI }" },
          { next: ({ data }) => ticks.push(data.whoAmI), error: (error) => ticks.push(String(error)), complete: () => {} },
        );`;
    const { app, page } = await open(t, "graphql-ws", script);
    const connections = createConnections({ guard: app.guard });
    const wss = new WebSocketServer({ noServer: true });
    t.after(async () => {
      for (const socket of wss.clients) socket.terminate();
      await connections.close();
    });
    app.apiServer.on("upgrade", protect(connections, {}, wss));
    const whoAmI = async function* (_: unknown, { subject }: { subject: string | undefined }) {
      yield { whoAmI: subject };
      await new Promise(() => {});
    };
    useServer(
      {
        schema: buildSchema("type Query { a: Int } type Subscription { whoAmI: String }"),
        context: ({ extra }: { extra: { request: unknown } }) => ({
          subject: (extra.request as ConnectedRequest).auth.auth?.subject,
        }),
        roots: { subscription: { whoAmI } },
      },
      wss,
    );
    await logIn(page);
    await page.evaluate("void subscribe()");
    await page.waitForFunction("ticks.length === 1");
    for (const socket of wss.clients) socket.terminate();
    await page.waitForFunction("ticks.length === 2");
    assert.deepEqual(await page.evaluate("ticks"), ["ann", "ann"]);
  });

  test("a service worker adds the token to an image", async (t) => {
    const pixel = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
    const worker = await bundleWithRecipe("service-worker", "recipe.serveApi(origins);");
    const script = `
      globalThis.start = async () => {
        await navigator.serviceWorker.register("/worker.js" + location.search);
        await navigator.serviceWorker.ready;
      };
      globalThis.load = async () => {
        const image = new Image();
        const loaded = new Promise((resolve) => (image.onload = image.onerror = ({ type }) => resolve(type)));
        image.src = origins.api + "/pixel.gif";
        return await loaded;
      };`;
    const files = { "/page.js": await bundleWithRecipe("vue", script) };
    const app = await startWebApp(t, browser, {
      files: new Proxy(files, {
        get: (target, path) =>
          String(path).startsWith("/worker.js") ? worker : target[path as keyof typeof target],
      }),
      api: (_request, res) => res.setHeader("Content-Type", "image/gif").end(pixel),
    });
    const page = await app.open();
    await logIn(page);
    await page.evaluate("start()");
    await page.reload();
    await page.waitForFunction("navigator.serviceWorker.controller !== null");
    assert.equal(await page.evaluate("load()"), "load");
    assert.deepEqual(app.statuses, [200]);
  });
});
