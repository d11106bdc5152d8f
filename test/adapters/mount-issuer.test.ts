import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createConnection, type AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { serve } from "@hono/node-server";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";
import * as expressAdapter from "../../src/adapters/express.ts";
import * as fastifyAdapter from "../../src/adapters/fastify.ts";
import * as honoAdapter from "../../src/adapters/hono-issuer.ts";
import type { MountOptions } from "../../src/adapters/http/mounted-issuer.ts";
import * as nodeAdapter from "../../src/adapters/node-http.ts";
import type { Issuer } from "../../src/issuer/types.ts";
import { issuerEvents } from "../../src/core/event-channels.ts";
import { within } from "../support/deadline.ts";
import { sendAndResetDuringPause } from "../support/reset-client.ts";
import { authenticate, BASIC, createFixture } from "../issuer/fixture.ts";

type Mount = (t: TestContext, issuer: Issuer, options?: MountOptions) => Promise<string>;

/** Closes the server after the test, and returns its address. */
async function addressOf(t: TestContext, server: Server): Promise<string> {
  if (!server.listening) await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Each server has a page `/orders` of its own beside the issuer. */
const mounts: Readonly<Record<string, Mount>> = {
  "node:http": async (t, issuer, options) => {
    const listener = nodeAdapter.mountIssuer(issuer, options, (_, res) => void res.end("orders"));
    return await addressOf(t, createServer(listener).listen(0, "127.0.0.1"));
  },
  "node:http by its fetch handler alone": async (t, real, options) => {
    // The handler of an issuer also has plain answers, which this one lacks.
    const issuer = {
      name: real.name,
      paths: real.paths,
      fetch: async (...args: Parameters<Issuer["fetch"]>) => await real.fetch(...args),
    };
    const listener = nodeAdapter.mountIssuer(issuer, options, (_, res) => void res.end("orders"));
    return await addressOf(t, createServer(listener).listen(0, "127.0.0.1"));
  },
  Express: async (t, issuer, options) => {
    const app = express();
    app.use(expressAdapter.mountIssuer(issuer, options));
    app.use((_, res) => void res.send("orders"));
    return await addressOf(t, app.listen(0, "127.0.0.1"));
  },
  "Express behind body parsers": async (t, issuer, options) => {
    const app = express();
    app.use(express.json(), express.urlencoded(), expressAdapter.mountIssuer(issuer, options));
    app.use((_, res) => void res.send("orders"));
    return await addressOf(t, app.listen(0, "127.0.0.1"));
  },
  "Express under a path": async (t, issuer, options) => {
    const app = express();
    app.use("/id", expressAdapter.mountIssuer(issuer, options));
    app.use((_, res) => void res.send("orders"));
    return `${await addressOf(t, app.listen(0, "127.0.0.1"))}/id`;
  },
  Fastify: async (t, issuer, options) => {
    const app = fastify();
    await app.register(fastifyAdapter.mountIssuer(issuer, options));
    app.get("/orders", () => "orders");
    t.after(async () => await app.close());
    return await app.listen({ port: 0, host: "127.0.0.1" });
  },
  "Fastify with a prefix": async (t, issuer, options) => {
    const app = fastify();
    await app.register(fastifyAdapter.mountIssuer(issuer, options), { prefix: "/id" });
    app.get("/id/orders", () => "orders");
    t.after(async () => await app.close());
    return `${await app.listen({ port: 0, host: "127.0.0.1" })}/id`;
  },
  Hono: async (t, issuer, options) => {
    const app = new Hono();
    app.use(honoAdapter.mountIssuer(issuer, options));
    app.get("/orders", (c) => c.text("orders"));
    return await addressOf(t, serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server);
  },
  "Hono under a path": async (t, issuer, options) => {
    const app = new Hono();
    app.use("/id/*", honoAdapter.mountIssuer(issuer, options));
    app.get("/id/orders", (c) => c.text("orders"));
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
    return `${await addressOf(t, server)}/id`;
  },
};

async function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** The text of a login over HTTP/1.1. */
function loginText({ pathname }: URL, credentials: object): string {
  const body = JSON.stringify(credentials);
  const fields = ["Host: a", "Content-Type: application/json", `Content-Length: ${body.length}`];
  return [`POST ${pathname.replace(/\/$/, "")}/auth/login HTTP/1.1`, ...fields, "", body].join("\r\n");
}

const right = { username: "ann", password: "password of ann" };

for (const [name, mount] of Object.entries(mounts)) {
  describe(`an issuer in ${name}`, () => {
    const isOfHono = name.startsWith("Hono") ? "the server of Hono reads the body itself" : false;

    test("fault 78: wrong passwords of one client behind a trusted proxy lock no other client out", async (t) => {
      const { issuer, store } = createFixture();
      const base = await mount(t, issuer, { trustedProxies: ["127.0.0.0/8"] });
      const login = async (body: object, client: string) =>
        (await post(`${base}/auth/login`, body, { "X-Forwarded-For": client })).status;
      for (let i = 0; i < 100; i++) {
        assert.equal(
          await login({ username: `user ${i}`, password: "wrong" }, `198.51.100.1:${4000 + i}`),
          401,
        );
      }
      assert.equal(await login(right, "198.51.100.1"), 429);
      assert.equal(await login(right, "198.51.100.2"), 200);
      const [last] = await store.audit.recent(1);
      assert.deepEqual([last?.kind, last?.source], ["login", "198.51.100.2"]);
    });

    test("fault 55: the address is that of the connection when no proxy is trusted", async (t) => {
      const { issuer, store } = createFixture();
      const base = await mount(t, issuer);
      const response = await post(`${base}/auth/login`, right, { "X-Forwarded-For": "198.51.100.1" });
      assert.equal(response.status, 200);
      assert.equal((await store.audit.recent(1))[0]?.source, "127.0.0.1");
    });

    test("serves forms, errors, metadata and paths with variables, and leaves other paths to the application", async (t) => {
      const { issuer } = createFixture();
      const base = await mount(t, issuer);
      const form = new URLSearchParams({ grant_type: "client_credentials" });
      const token = await fetch(`${base}/oauth/token`, {
        method: "POST",
        headers: { Authorization: BASIC },
        body: form,
      });
      assert.equal(token.status, 200);
      assert.equal((await fetch(`${base}/.well-known/jwks.json?v=1`)).status, 200);
      assert.equal((await fetch(`${base}/auth/login`)).status, 405);
      const session = (await (await post(`${base}/auth/login`, right)).json()) as Record<string, string>;
      const ended = await fetch(`${base}/auth/sessions/${session["session_id"]}`, {
        method: "DELETE",
        headers: { Authorization: `Bearer ${session["access_token"]}` },
      });
      assert.equal(ended.status, 204);
      assert.equal(await (await fetch(`${base}/orders`)).text(), "orders");
    });

    test("an empty body has not ended early, also when a body parser has read it", async (t) => {
      const { issuer } = createFixture();
      const base = await mount(t, issuer);
      const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: "" };
      const mounted = await fetch(`${base}/auth/refresh`, init);
      const direct = await issuer.fetch(new Request("https://id.example.com/auth/refresh", init));
      assert.equal(mounted.status, direct.status);
      assert.deepEqual(await mounted.json(), await direct.json());
    });

    test("fault 78: a body that nobody reads ends with its connection", { skip: isOfHono }, async (t) => {
      const base = new URL(await mount(t, createFixture().issuer));
      const socket = createConnection(Number(base.port), base.hostname);
      t.after(() => void socket.destroy());
      socket.on("error", () => {}).resume();
      socket.write(
        `POST ${base.pathname.replace(/\/$/, "")}/auth/login HTTP/1.1\r\nHost: id.example.com\r\n` +
          "Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(0x10000), Buffer.from("\r\n")]);
      const send = () => {
        if (!socket.destroyed) socket.write(chunk, () => setImmediate(send));
      };
      send();
      // The write that fails at the end is an error of the socket, which `once` would throw.
      await within(
        new Promise((resolve) => socket.once("close", resolve)),
        20_000,
        "the end of the connection",
      );
      assert.ok(socket.bytesWritten < 16 * 1024 * 1024, `${socket.bytesWritten} bytes were read`);
    });

    test("a client that goes away aborts its request", async (t) => {
      const begun = Promise.withResolvers<void>();
      const aborted = Promise.withResolvers<void>();
      const { issuer } = createFixture({
        authenticate: async (credentials, call) => {
          call.signal.addEventListener("abort", () => aborted.resolve());
          begun.resolve();
          await aborted.promise;
          return await authenticate(credentials, call);
        },
      });
      const base = await mount(t, issuer);
      const controller = new AbortController();
      const login = fetch(`${base}/auth/login`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(right),
        signal: controller.signal,
      });
      await begun.promise;
      controller.abort();
      await assert.rejects(login);
      await aborted.promise;
    });

    test("a login whose client reset the connection is not checked, and its missing address is no warning", async (t) => {
      const checked: unknown[] = [];
      const { issuer } = createFixture({
        authenticate: async (credentials, call) => {
          checked.push(credentials["username"]);
          return await authenticate(credentials, call);
        },
      });
      const warnings: unknown[] = [];
      const onEvent = (event: unknown) => warnings.push(event);
      issuerEvents.subscribe(onEvent);
      t.after(() => issuerEvents.unsubscribe(onEvent));
      const base = new URL(await mount(t, issuer));
      sendAndResetDuringPause(base.port, loginText(base, { ...right, username: "bob" }));
      for (let i = 0; i < 2; i++)
        assert.equal((await post(`${base.href.replace(/\/$/, "")}/auth/login`, right)).status, 200);
      assert.deepEqual(checked, ["ann", "ann"]);
      assert.deepEqual(warnings, []);
    });

    for (const [when, isWhole] of [
      ["while its credentials are checked", true],
      ["within the body", false],
    ] as const) {
      test(`a client that resets its connection ${when} aborts its login, and the server goes on`, async (t) => {
        const begun = Promise.withResolvers<void>();
        const aborted = Promise.withResolvers<void>();
        const { issuer } = createFixture({
          authenticate: async (credentials, call) => {
            if (credentials["username"] !== "bob") return await authenticate(credentials, call);
            call.signal.addEventListener("abort", () => aborted.resolve());
            begun.resolve();
            await aborted.promise;
            return null;
          },
        });
        const base = new URL(await mount(t, issuer));
        const socket = createConnection(Number(base.port), base.hostname);
        const text = loginText(base, { ...right, username: "bob" });
        await once(socket, "connect");
        socket.write(isWhole ? text : text.slice(0, -5));
        if (isWhole) await begun.promise;
        // The answer to this request shows that the server has read the one before.
        else assert.equal((await post(`${base.href.replace(/\/$/, "")}/auth/login`, right)).status, 200);
        socket.resetAndDestroy();
        if (isWhole) await aborted.promise;
        for (let i = 0; i < 2; i++)
          assert.equal((await post(`${base.href.replace(/\/$/, "")}/auth/login`, right)).status, 200);
      });
    }

    test("law 6: a body over the limit is refused", async (t) => {
      const { issuer } = createFixture();
      const base = await mount(t, issuer);
      const body = { ...right, more: "x".repeat(90_000) };
      assert.equal((await post(`${base}/auth/login`, body)).status, 413);
    });
  });
}

test("mountIssuer refuses a wrong option and a value that is no issuer at once", () => {
  const { issuer } = createFixture();
  for (const { mountIssuer } of [nodeAdapter, expressAdapter, fastifyAdapter, honoAdapter]) {
    for (const trustedProxies of ["10.0.0.0/8", ["10.0.0.0/33"], ["proxy"], [7]]) {
      assert.throws(() => mountIssuer(issuer, { trustedProxies } as never), { code: "invalid_option" });
    }
    assert.throws(() => mountIssuer(issuer, { trustProxy: true } as never), { code: "invalid_option" });
    assert.throws(() => mountIssuer({} as never), { code: "missing_method" });
  }
});

test("a request whose Host and path form no URL is 400", async (t) => {
  const base = await (mounts["node:http"] as Mount)(t, createFixture().issuer);
  const { port } = new URL(base);
  const socket = createConnection(Number(port), "127.0.0.1");
  socket.end("GET /auth/login HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  assert.match(chunk.toString(), /^HTTP\/1\.1 400 /);
  socket.destroy();
});
