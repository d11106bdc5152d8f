import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { audience, startProvider } from "./provider.js";

/** Starts a server and tests what its clients rely on. */
export function testApi(file) {
  let provider, server, api;

  before(async () => {
    provider = await startProvider();
    const { issuer, keysUrl } = provider;
    const env = { ...process.env, PORT: "0", ISSUER: issuer, KEYS_URL: keysUrl, AUDIENCE: audience };
    server = spawn(process.execPath, [fileURLToPath(file)], { env, stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(server, "exit").then(([code]) => assert.fail(`the server has ended: ${code}`));
    [api] = await Promise.race([once(createInterface(server.stdout), "line"), ended]);
  });
  after(() => {
    server?.kill();
    provider?.close();
  });

  async function get(path, token) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(api + path, { headers });
    return { status: response.status, body: response.ok ? await response.json() : null };
  }

  test("a user sees who they are", async () => {
    assert.deepEqual(await get("/me", await provider.token()), { status: 200, body: { user: "ann" } });
  });

  test("a user with the scope sees the orders", async () => {
    const answer = await get("/orders", await provider.token({ scope: "profile orders:read" }));
    assert.deepEqual(answer, { status: 200, body: { orders: ["the first order of ann"] } });
  });

  test("a user without the scope gets 403", async () => {
    assert.equal((await get("/orders", await provider.token({ scope: "profile" }))).status, 403);
    assert.equal((await get("/orders", await provider.token())).status, 403);
  });

  test("a request without a token gets 401", async () => {
    assert.equal((await get("/me")).status, 401);
    assert.equal((await get("/orders")).status, 401);
  });

  test("a bad token gets 401", async () => {
    const past = Math.floor(Date.now() / 1000) - 60;
    assert.equal((await get("/me", await provider.token({ exp: past }))).status, 401, "expired");
    assert.equal((await get("/me", await provider.token({ aud: "another" }))).status, 401, "another API");
    assert.equal(
      (await get("/me", await provider.token({ iss: "https://x.example" }))).status,
      401,
      "issuer",
    );
    assert.equal((await get("/me", await provider.forgedToken())).status, 401, "forged");
  });
}
