import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test, type TestContext } from "node:test";
import { createClient } from "redis";
import type { ActionAnswer, ActionRequest, SessionsAnswer } from "../../../../src/dashboard/wire-api.ts";
import { BreakerAction } from "../../../../src/server/dashboard/api/breaker-action.ts";
import { createLogger } from "../../../../src/server/logs.ts";
import { startService } from "../../../../src/server/serve.ts";
import { createProvider, FakeClock, type Provider } from "../../../../src/testing/index.ts";
import { login, post, refresh, verify, type Tokens } from "../../../support/auth-calls.ts";
import { noRedis, RedisServer } from "../../../support/redis-servers.ts";
import { temporaryDataDir, temporarySettings } from "../../temporary-settings.ts";
import { composedService } from "../composed-service.ts";

const AUDIENCE = "https://api.example";

async function start(t: TestContext, more: Record<string, string> = {}) {
  const running = await startService(await temporarySettings(more), createLogger("silent"));
  t.after(running.stop);
  const { adminAddress, publicAddress } = running;
  const { access_token: token } = await login(publicAddress);
  const request = async (action: unknown, bearer: string = token) =>
    await post(adminAddress, "/api/actions", action, bearer);
  const act = async (action: ActionRequest): Promise<ActionAnswer> => {
    const response = await request(action);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as ActionAnswer;
  };
  const audit = async (kind: string) => {
    const response = await fetch(`${adminAddress}/api/audit?kind=${kind}`);
    return ((await response.json()) as { events: Record<string, unknown>[] }).events;
  };
  const list = async (query: string) => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${adminAddress}/api/sessions?${query}`, { headers });
    return (await response.json()) as SessionsAnswer;
  };
  const sessions = async (query: string) => (await list(query)).sessions;
  return { ...running, token, request, act, audit, list, sessions };
}

async function startProvider(t: TestContext): Promise<Provider> {
  const provider = await createProvider({ audience: AUDIENCE });
  await provider.listen();
  t.after(async () => await provider.close());
  return provider;
}

function providerSettings(provider: Provider): Record<string, string> {
  return {
    HOLDFAST_AUDIENCE: AUDIENCE,
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_PROVIDER_JWKS_URL: provider.url("jwks"),
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    ALLOW_DEGRADED_AUTH: "local",
  };
}

test("an action says what it would do, does that, and is an audit event", async (t) => {
  const { publicAddress, act, audit, sessions } = await start(t);
  const other = await login(publicAddress);
  const action = { action: "end-session", session: other.session_id } as const;
  const subject = (await sessions(`session=${other.session_id}`))[0]?.subject ?? "";
  const planned = await act({ ...action, dryRun: true });
  assert.deepEqual([planned.done, planned.audited], [false, null]);
  assert.ok(planned.effect.startsWith(`ends the session of ${subject}`), planned.effect);
  assert.equal((await refresh(publicAddress, other.refresh_token)).status, 200);
  assert.deepEqual(await act(action), {
    done: true,
    effect: planned.effect.replace("ends", "ended"),
    audited: true,
  });
  assert.equal(await verify(publicAddress, other.access_token), 401);
  const [event] = await audit("session_ended");
  assert.deepEqual(
    [event?.["session"], event?.["actor"], event?.["source"]],
    [other.session_id, subject, "127.0.0.1"],
  );
  assert.equal((await act({ action: "end-session", session: "unknown" })).done, false);
});

void describe("a damaged session is found by its id, and ended", () => {
  /** Ends a damaged session together with all others of its user, who is the administrator. */
  const proveEndOfAll = async (
    { act, list, publicAddress }: Awaited<ReturnType<typeof start>>,
    { session_id: id, access_token: token }: Tokens,
  ) => {
    const { subject, sessions } = await list("username=alice");
    const action = { action: "end-subject", subject: subject ?? "" } as const;
    const counted = `${sessions.length + 1} sessions of ${subject}, 1 of them with a damaged record`;
    const effect = `ends ${counted}, and revokes every earlier token`;
    assert.equal((await act({ ...action, dryRun: true })).effect, effect);
    const done = `ended all sessions of ${subject}, also those with damaged records, and revoked every earlier token`;
    assert.deepEqual(await act(action), { done: true, effect: done, audited: true });
    assert.equal(await verify(publicAddress, token), 401, id);
  };

  const proveEnd = async (
    { act, list, publicAddress }: Awaited<ReturnType<typeof start>>,
    { session_id: id, access_token: token }: Tokens,
  ) => {
    for (const query of ["username=alice", `session=${id}`]) {
      assert.deepEqual((await list(query)).unreadable, [id], query);
    }
    const action = { action: "end-session", session: id } as const;
    const effect = `ends the session ${id}, whose record is damaged`;
    assert.deepEqual(await act({ ...action, dryRun: true }), { done: false, effect, audited: null });
    assert.deepEqual(await act(action), {
      done: true,
      effect: effect.replace("ends", "ended"),
      audited: true,
    });
    assert.equal(await verify(publicAddress, token), 401);
    for (const query of ["username=alice", `session=${id}`]) {
      assert.deepEqual((await list(query)).unreadable, [], query);
    }
    assert.equal((await act(action)).done, false);
  };

  test("in SQLite, with another MAC", async (t) => {
    const dataDir = await temporaryDataDir();
    const running = await start(t, { HOLDFAST_DATA_DIR: dataDir });
    const damaged = await login(running.publicAddress);
    const raw = new DatabaseSync(join(dataDir, "holdfast.db"));
    const damage = (id: string) =>
      raw.prepare("UPDATE sessions SET mac = ? WHERE id = ?").run("A".repeat(43), id);
    damage(damaged.session_id);
    await proveEnd(running, damaged);
    const second = await login(running.publicAddress);
    damage(second.session_id);
    raw.close();
    await proveEndOfAll(running, second);
  });

  test("in Redis, with half of its record", { skip: noRedis }, async (t) => {
    const server = await RedisServer.start(["appendonly yes", "appendfsync always"]);
    t.after(async () => await server.stop());
    const settings = {
      HOLDFAST_STORE: "redis",
      REDIS_URL: server.url,
      HOLDFAST_REDIS_REPLICAS: "0",
      HOLDFAST_SECRET: "s".repeat(43),
    };
    const running = await start(t, settings);
    const damaged = await login(running.publicAddress);
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    const damage = async (id: string) => {
      const key = `holdfast:{session:${id}}`;
      const record = (await raw.get(key)) ?? "";
      await raw.set(key, record.slice(0, record.length / 2), { expiration: "KEEPTTL" });
    };
    await damage(damaged.session_id);
    await proveEnd(running, damaged);
    const second = await login(running.publicAddress);
    await damage(second.session_id);
    raw.destroy();
    await proveEndOfAll(running, second);
  });
});

test("ending a subject names the number of sessions, before and after", async (t) => {
  const { publicAddress, token, act, sessions } = await start(t);
  const user = { username: "ada", password: "correct horse battery", scope: "a" };
  assert.equal((await post(publicAddress, "/admin/users", user, token)).status, 201);
  for (let i = 0; i < 3; i++) await post(publicAddress, "/auth/login", user);
  const subject = (await sessions("username=ada"))[0]?.subject ?? "";
  const effect = `ends 3 sessions of ${subject}, and revokes every earlier token`;
  assert.equal((await act({ action: "end-subject", subject, dryRun: true })).effect, effect);
  const done = `ended 3 sessions of ${subject}, and revoked every earlier token`;
  assert.deepEqual(await act({ action: "end-subject", subject }), {
    done: true,
    effect: done,
    audited: true,
  });
  assert.deepEqual(await sessions("username=ada"), []);
});

test("keys are rotated and revoked by an administrator, whom the audit event names", async (t) => {
  const { publicAddress, act, audit, request } = await start(t);
  const signing = (token: string) =>
    (JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()) as { kid: string }).kid;
  const before = await login(publicAddress);
  const rotated = await act({ action: "rotate-keys" });
  assert.match(rotated.effect, /^signs new tokens with the next key \S+; earlier tokens stay valid$/);
  const after = await login(publicAddress);
  assert.notEqual(signing(after.access_token), signing(before.access_token));
  assert.equal(await verify(publicAddress, before.access_token), 200);
  assert.equal((await request({ action: "revoke-key", kid: "unknown" })).status, 400);
  await act({ action: "revoke-key", kid: signing(before.access_token) });
  assert.equal(await verify(publicAddress, before.access_token), 401);
  assert.equal(await verify(publicAddress, after.access_token), 200);
  for (const kind of ["keys_rotated", "key_revoked"]) {
    assert.ok(typeof (await audit(kind))[0]?.["actor"] === "string", kind);
  }
});

test("a breaker is forced for a bounded time, and key sets are fetched again", async (t) => {
  const provider = await startProvider(t);
  const { publicAddress, act, audit, request } = await start(t, providerSettings(provider));
  const { issuer } = provider;
  const verifyForeign = async () => {
    const headers = { authorization: `Bearer ${provider.token()}` };
    const response = await fetch(`${publicAddress}/verify`, { headers });
    return response.headers.get("x-auth-degraded");
  };
  assert.equal(await verifyForeign(), "");
  const opened = await act({ action: "breaker", issuer, state: "open", forMs: 600_000 });
  assert.equal(
    opened.effect,
    `asks the authority of ${issuer} nothing for 10 min; degraded mode decides about its tokens`,
  );
  assert.equal(await verifyForeign(), "authority_unavailable");
  await act({ action: "breaker", issuer, state: "auto" });
  assert.equal(await verifyForeign(), "");
  assert.deepEqual(
    (await audit("breaker_forced")).map(({ detail }) => detail),
    [`${issuer}: auto`, `${issuer}: open for 10 min`],
  );
  const again = await act({ action: "refresh-keys", issuer });
  assert.match(again.effect, /^fetches (?:the key set of|nothing: the last fetch was a moment ago)/);
  for (const wrong of [
    { action: "breaker", issuer: "https://elsewhere.example", state: "open" },
    { action: "breaker", issuer, state: "open", forMs: 1 },
    { action: "breaker", issuer, state: "ajar" },
    { action: "refresh-keys", issuer: "https://elsewhere.example" },
    { action: "drop-database" },
  ]) {
    assert.equal((await request(wrong)).status, 400, JSON.stringify(wrong));
  }
});

test("a breaker that was forced by hand is given back when its time is over", async (t) => {
  const provider = await startProvider(t);
  const service = await composedService(t, providerSettings(provider));
  const clock = new FakeClock();
  const breakers = new BreakerAction(service, clock);
  const { issuer } = provider;
  const state = () => service.guard.status().issuers.find((one) => one.issuer === issuer)?.authority?.breaker;
  const force = async (wanted: "open" | "closed", forMs: number) =>
    await breakers.plan(issuer, wanted, forMs).run?.({ actor: "alice" });
  await force("open", 60_000);
  await clock.advance(30_000);
  assert.equal(state(), "forced open");
  await force("closed", 60_000);
  await clock.advance(59_999);
  assert.equal(state(), "forced closed");
  await clock.advance(1);
  assert.equal(state(), "closed");
  await force("open", 60_000);
  breakers.forget(issuer);
  await clock.advance(120_000);
  assert.equal(state(), "forced open", "another command has forced it since");
  await force("open", 60_000);
  breakers.close();
  await clock.advance(120_000);
  assert.equal(state(), "forced open");
});

test("law 6: actions need an access token of an administrator of this service", async (t) => {
  const { publicAddress, token, request } = await start(t);
  const user = { username: "bob", password: "correct horse battery", scope: "orders:read" };
  assert.equal((await post(publicAddress, "/admin/users", user, token)).status, 201);
  const { access_token: weak } = (await (await post(publicAddress, "/auth/login", user)).json()) as {
    access_token: string;
  };
  assert.equal((await request({ action: "rotate-keys" }, "forged")).status, 401);
  assert.equal((await request({ action: "rotate-keys" }, weak)).status, 403);
  assert.equal((await request({ action: "rotate-keys", dryRun: true }, weak)).status, 403);
});
