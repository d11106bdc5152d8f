import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/free-port.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Starts an example. Resolves with the addresses that it prints. */
async function start(t: TestContext, name: string): Promise<{ auth: string; api: string }> {
  const env = { ...process.env, AUTH_PORT: "0", PORT: String(await freePort()) };
  const args = ["--conditions=holdfast-source", `examples/${name}/server.ts`];
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(async () => {
    child.kill();
    await once(child, "close");
  });
  const urls: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    urls.push(/https?:\S+/.exec(line)?.[0] ?? "");
    if (urls.length === 2) break;
  }
  const [auth = "", api = ""] = urls;
  return { auth, api };
}

for (const name of ["express", "fastify", "hono", "nestjs"]) {
  test(`the example of ${name} behaves as its README says`, async (t) => {
    const { auth, api } = await start(t, name);
    const post = async (path: string, body: object) => {
      const headers = { "Content-Type": "application/json" };
      return await fetch(auth + path, { method: "POST", headers, body: JSON.stringify(body) });
    };
    const login = async (username: string, password: string) =>
      (await (await post("/auth/login", { username, password })).json()) as Record<string, string>;
    const get = async (path: string, token?: string) =>
      await fetch(api + path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });

    const alice = await login("alice", "wonderland");
    const me = await get("/me", alice["access_token"]);
    assert.deepEqual(await me.json(), { subject: "alice", tenant: "acme", scopes: ["orders:read"] });
    const orders = await get("/orders", alice["access_token"]);
    assert.deepEqual(await orders.json(), { orders: ["the first order of acme"] });
    assert.equal((await get("/me")).status, 401);
    const bob = await login("bob", "builder");
    const forbidden = await get("/orders", bob["access_token"]);
    assert.equal(forbidden.status, 403);
    assert.match(forbidden.headers.get("www-authenticate") ?? "", /scope="orders:read"/);

    const ended = await post("/auth/logout", { refresh_token: alice["refresh_token"] });
    assert.equal(ended.status, 204);
    assert.equal((await get("/me", alice["access_token"])).status, 401);
  });
}

/** Returns the first response of a server that may not listen yet. */
async function firstAnswer(url: string): Promise<Response> {
  for (;;) {
    try {
      return await fetch(url, { signal: AbortSignal.timeout(10_000) });
    } catch (error) {
      if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code !== "ECONNREFUSED") throw error;
      await nextTurn();
    }
  }
}

test("the chat example responds to a page that opens while it starts", async (t) => {
  const port = String(await freePort());
  const env = { ...process.env, AUTH_PORT: "0", PORT: port };
  const args = ["--conditions=holdfast-source", "examples/websocket-chat/server.ts"];
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "ignore", "inherit"] });
  t.after(async () => {
    child.kill();
    await once(child, "close");
  });
  assert.equal((await firstAnswer(`http://127.0.0.1:${port}/`)).status, 200);
});
