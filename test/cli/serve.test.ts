import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { Agent, request, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { promisify } from "node:util";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, post, measureUntil, verify } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";

const CLIENTS = 20;

/** Sends one request on the agent's connection. `null` when the service does not listen. */
async function ask(url: string, agent: Agent, token: string): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    const sent = request(`${url}/verify`, { agent, headers: { authorization: `Bearer ${token}` } });
    sent.on("response", (response: IncomingMessage) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0)).on("error", reject);
    });
    sent.on("error", (error: Error & { code?: string }) =>
      error.code === "ECONNREFUSED" ? resolve(null) : reject(error),
    );
    sent.end();
  });
}

test("fault 41: SIGTERM under load answers every accepted request, and exits with 0", async (t) => {
  const service = await startService(await temporaryDataDir());
  t.after(async () => await service.stop("SIGKILL"));
  const { access_token: token } = await login(service.url);
  let answered = 0;
  const enough = Promise.withResolvers<void>();
  const client = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (;;) {
      const status = await ask(service.url, agent, token);
      if (status === null) break;
      assert.equal(status, 200);
      if (++answered === CLIENTS * 50) enough.resolve();
    }
    agent.destroy();
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  await Promise.race([enough.promise, clients]);
  const code = service.stop();
  await clients;
  assert.equal(await code, 0);
});

test("a second signal ends the service immediately", async (t) => {
  const service = await startService(await temporaryDataDir());
  t.after(async () => await service.stop("SIGKILL"));
  const agent = new Agent({ keepAlive: true });
  const { access_token: token } = await login(service.url);
  // A request whose body never ends keeps the first signal waiting.
  const hanging = request(`${service.url}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": "100" },
  }).on("error", () => {});
  hanging.write("{");
  assert.equal(await ask(service.url, agent, token), 200);
  const ended = service.stop();
  await measureUntil(async () => service.output().includes("finishing what is under way"), 5000);
  process.kill(service.pid, "SIGTERM");
  assert.equal(await ended, 1);
  agent.destroy();
});

test("law 3: two services on one data file see each other's logout within seconds", async (t) => {
  const data = await temporaryDataDir();
  const services = await Promise.all([startService(data), startService(data)]);
  t.after(async () => await Promise.all(services.map(async (service) => await service.stop())));
  const urls = services.map((service) => service.url);
  for (const [one = "", other = ""] of [urls, urls.toReversed()]) {
    const tokens = await login(one);
    assert.equal(await verify(other, tokens.access_token), 200);
    const answer = await post(one, "/auth/logout", { refresh_token: tokens.refresh_token });
    assert.equal(answer.status, 204);
    const ms = await measureUntil(async () => (await verify(other, tokens.access_token)) === 401, 5_000);
    assert.notEqual(ms, Number.POSITIVE_INFINITY);
  }
});

test("law 5: logs and start-up lines contain no token and no password", async (t) => {
  const service = await startService(await temporaryDataDir());
  t.after(async () => await service.stop("SIGKILL"));
  const tokens = await login(service.url);
  await post(service.url, "/auth/login", { username: "alice", password: "a wrong password" });
  await verify(service.url, `${tokens.access_token}x`);
  await post(service.url, "/auth/logout", { refresh_token: tokens.refresh_token });
  assert.equal(await service.stop(), 0);
  const output = service.output();
  assert.match(output, /"event\.name":"holdfast\.audit\.login",/);
  for (const secret of [tokens.access_token, tokens.refresh_token, "correct horse", "a wrong password"]) {
    assert.ok(!output.includes(secret));
  }
});

/** Reads the levels of the JSON lines in the output of a service. */
function loggedLevels(output: string): Set<string> {
  return new Set([...output.matchAll(/"severity_text":"(\w+)"/g)].map((match) => match[1] ?? ""));
}

for (const [level, expected] of [
  ["debug", ["DEBUG", "INFO"]],
  [undefined, ["INFO"]],
  ["silent", []],
] as const) {
  test(`HOLDFAST_LOG_LEVEL=${level ?? "(missing)"} logs ${expected.join(" and ") || "nothing"}`, async (t) => {
    const settings: Record<string, string> = level === undefined ? {} : { HOLDFAST_LOG_LEVEL: level };
    const service = await startService(await temporaryDataDir(), settings);
    t.after(async () => await service.stop("SIGKILL"));
    await login(service.url);
    assert.equal(await service.stop(), 0);
    assert.deepEqual([...loggedLevels(service.output())].toSorted(), [...expected]);
  });
}

test("a command that serves nothing loads no listener, no metrics, no log and no Redis", async () => {
  const trace = `
    import { registerHooks } from "node:module";
    const seen = new Set();
    registerHooks({ resolve(name, context, next) { const at = next(name, context); seen.add(at.url); return at; } });
    const { run } = await import(${JSON.stringify(new URL("../../src/cli/run.ts", import.meta.url).href)});
    await run(["--version"]);
    console.log(JSON.stringify([...seen]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", trace]);
  const urls = JSON.parse(stdout.split("\n").at(-2) ?? "") as string[];
  assert.ok(urls.some((url) => url.endsWith("/src/cli/serve.ts")));
  const wanted =
    /node_modules\/(?:prom-client|pino|@hono\/node-server)\/|\/src\/(?:gateway|adapters|drill|doctor)\/|\/stores\/redis\/connection/;
  assert.deepEqual(
    urls.filter((url) => wanted.test(url)),
    [],
  );
});
