import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { networkInterfaces } from "node:os";
import { test, type TestContext } from "node:test";
import { createLogger } from "../../src/server/logs.ts";
import { listRunningProcesses } from "../../src/server/running-processes.ts";
import { startService } from "../../src/server/serve.ts";
import { localFiles } from "../../src/server/store/local-store.ts";
import { login } from "../support/auth-calls.ts";
import { temporarySettings } from "./temporary-settings.ts";

const token = "0123456789abcdefghijklmnopqrstuv";

async function start(t: TestContext, more: Record<string, string>) {
  const settings = await temporarySettings(more);
  const running = await startService(settings, createLogger("silent"));
  t.after(running.stop);
  const { port } = new URL(running.adminAddress);
  const ask = async (path: string, headers: Record<string, string>, options: object = {}) => {
    const sent = request({ host: "127.0.0.1", port, path, headers, ...options }).end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    response.resume();
    return response;
  };
  return { ...running, ask, files: localFiles(settings.dataDir) };
}

test("an admin listener on a network answers only with its token", async (t) => {
  const { ask } = await start(t, { HOLDFAST_ADMIN_HOST: "0.0.0.0", HOLDFAST_ADMIN_TOKEN: token });
  const wrong = ["", `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`, token];
  for (const path of ["/?plain", "/health", "/cache/health", "/metrics", "/nothing"]) {
    for (const authorization of wrong) {
      const refused = await ask(path, { host: "holdfast:4181", authorization });
      assert.equal(refused.statusCode, 401, path);
      assert.equal(refused.headers["www-authenticate"], 'Bearer realm="admin"');
    }
    const response = await ask(path, { host: "holdfast:4181", authorization: `Bearer ${token}` });
    assert.equal(response.statusCode, path === "/nothing" ? 404 : 200, path);
  }
});

test("the dashboard sends the token of the listener in a header of its own", async (t) => {
  const { ask } = await start(t, { HOLDFAST_ADMIN_HOST: "0.0.0.0", HOLDFAST_ADMIN_TOKEN: token });
  const authorization = "Bearer an.access.token";
  for (const given of [undefined, "", `${token}x`, `Bearer ${token}`]) {
    const headers = { authorization, ...(given !== undefined && { "listener-token": given }) };
    assert.equal((await ask("/events", headers)).statusCode, 401);
  }
  const response = await ask("/events", { authorization, "listener-token": token });
  assert.equal(response.statusCode, 200);
  response.destroy();
});

test("a missing token of an admin listener on a network is generated into a private file", async (t) => {
  const { ask, files, banner } = await start(t, { HOLDFAST_ADMIN_HOST: "0.0.0.0" });
  const generated = (await readFile(files.adminToken, "utf8")).trimEnd();
  assert.match(generated, /^[\w-]{43}$/);
  assert.equal((await stat(files.adminToken)).mode & 0o777, 0o600);
  assert.ok(banner.includes(files.adminToken) && !banner.includes(generated));
  assert.equal((await ask("/health", {})).statusCode, 401);
  assert.equal((await ask("/health", { authorization: `Bearer ${generated}` })).statusCode, 200);
});

test("a token on a loopback address does not lift the check of Host", async (t) => {
  const { ask } = await start(t, { HOLDFAST_ADMIN_TOKEN: token });
  const authorization = `Bearer ${token}`;
  assert.equal((await ask("/health", { authorization })).statusCode, 200);
  assert.equal((await ask("/health", {})).statusCode, 401);
  assert.equal((await ask("/health", { authorization, host: "evil.example" })).statusCode, 421);
});

test("actions on the guard of an exposed listener are for this machine, under its own name", async (t) => {
  const running = await start(t, { HOLDFAST_ADMIN_HOST: "0.0.0.0", HOLDFAST_ADMIN_TOKEN: token });
  const { access_token: access } = await login(running.publicAddress);
  const headers = { authorization: `Bearer ${access}`, "content-type": "application/json" };
  const { port } = new URL(running.adminAddress);
  const act = async (address: string, host: string) => {
    const sent = request({
      host: address,
      port,
      path: "/guard/distrust-keys",
      method: "POST",
      headers: { ...headers, host },
    });
    const [response] = (await once(sent.end("{}"), "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  assert.equal(await act("127.0.0.1", `127.0.0.1:${port}`), 200);
  assert.equal(await act("127.0.0.1", "evil.example"), 421);
  const [outer] = Object.values(networkInterfaces())
    .flat()
    .flatMap((each) => (each?.family === "IPv4" && !each.internal ? [each.address] : []));
  if (outer === undefined)
    t.diagnostic("this machine has no address but loopback, so no other peer is tested");
  else assert.equal(await act(outer, `127.0.0.1:${port}`), 403);
  // Commands find the process under the loopback address.
  const [announced] = await listRunningProcesses(running.files.processes);
  assert.equal(announced?.address, `http://127.0.0.1:${port}`);
});
