import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createGuard } from "../../../src/guard/create-guard.ts";
import { jwks } from "../../../src/guard/keys/jwks.ts";
import type { Guard } from "../../../src/guard/types.ts";
import type { IssuerBase } from "../../../src/issuer/issuer-base.ts";
import { ArrivalSigns } from "../../../src/issuer/sessions/arrival-signs.ts";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import type { Acknowledgement } from "../../../src/stores/session-store.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { BASIC, bearerHeader, claimsOf, createFixture, ISSUER_URL, logIn, sendRequest } from "../fixture.ts";
import { wrapStore } from "../stores.ts";

/** An issuer whose acknowledgements at the store are recorded, and two generations of one session. */
async function rotated(fail: () => boolean = () => false) {
  const clock = new FakeClock();
  const signs: Acknowledgement[] = [];
  const store = wrapStore(memoryStore({ clock }), async (name, call, args) => {
    if (name !== "sessions.acknowledge") return await call();
    signs.push(args[0] as Acknowledgement);
    if (fail()) throw new Error("the disk failed");
    return await call();
  });
  const { issuer } = createFixture({ clock, store });
  const first = await logIn(issuer);
  return { clock, store, issuer, signs, first, second: await refreshed(issuer, first) };
}

async function refreshed(issuer: Issuer, { refresh_token }: TokenResponse): Promise<TokenResponse> {
  const outcome = await issuer.refresh(refresh_token);
  assert.ok(outcome.status === "ok", outcome.status);
  return outcome.tokens;
}

async function post(issuer: Issuer, path: string, form: Record<string, string>): Promise<Response> {
  const headers = { "Content-Type": "application/x-www-form-urlencoded", Authorization: BASIC };
  return await sendRequest(issuer, "POST", path, new URLSearchParams(form).toString(), headers);
}

function guardOf(issuer: Issuer, clock: FakeClock): Guard {
  return createGuard({
    issuer: ISSUER_URL,
    audience: "https://api.example.com",
    keys: jwks("http://localhost/.well-known/jwks.json", {
      fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
    }),
    revocations: issuer.revocations,
    clock,
    random: () => 0,
  });
}

const turn = async () => await new Promise((resolve) => setImmediate(resolve));

describe("law 8: signs that a successor arrived", () => {
  const uses: Readonly<
    Record<string, (issuer: Issuer, tokens: TokenResponse, clock: FakeClock) => Promise<unknown>>
  > = {
    "POST /auth/refresh/ack": async (issuer, { refresh_token }) => {
      const response = await sendRequest(issuer, "POST", "/auth/refresh/ack", { refresh_token });
      assert.deepEqual([response.status, await response.text()], [204, ""]);
    },
    "issuer.acknowledge": async (issuer, { refresh_token }) => await issuer.acknowledge(refresh_token),
    "POST /auth/validate": async (issuer, { access_token: token }) =>
      await sendRequest(issuer, "POST", "/auth/validate", { token }, { Authorization: BASIC }),
    "POST /oauth/introspect": async (issuer, { access_token: token }) =>
      await post(issuer, "/oauth/introspect", { token }),
    "GET /auth/sessions": async (issuer, tokens) =>
      await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(tokens)),
    "a guard in the same process": async (issuer, { access_token }, clock) => {
      const guard = guardOf(issuer, clock);
      await guard.ready();
      assert.equal((await guard.authorize(access_token, { scopes: ["none:of_it"] })).status, "forbidden");
      await guard.close();
    },
  };
  for (const [name, use] of Object.entries(uses)) {
    test(`law 8: ${name} is a sign of arrival, once`, async () => {
      const { clock, issuer, signs, first, second } = await rotated();
      await use(issuer, second, clock);
      await turn();
      assert.deepEqual(
        signs.map(({ sessionId, generation }) => [sessionId, generation]),
        [[first.session_id, 2]],
      );
      assert.equal((await issuer.refresh(first.refresh_token)).status, "refresh_conflict");
      // Each further use costs no command.
      if (!name.includes("ack")) for (let i = 0; i < 3; i++) await use(issuer, second, clock);
      await turn();
      assert.equal(signs.length, 1);
      assert.equal((await issuer.refresh(second.refresh_token)).status, "ok");
      await issuer.close();
    });
  }

  test("an invalid, revoked or earlier access token is no sign", async () => {
    const { clock, issuer, signs, first, second } = await rotated();
    const guard = guardOf(issuer, clock);
    await guard.ready();
    assert.equal((await guard.validate(first.access_token)).status, "valid");
    assert.equal((await guard.validate(`${second.access_token.slice(0, -4)}AAAA`)).status, "invalid");
    await issuer.endSession(second.session_id);
    assert.equal((await guard.validate(second.access_token)).status, "invalid");
    await turn();
    assert.deepEqual(signs, []);
    await guard.close();
    await issuer.close();
  });

  test("law 1: a store that fails does not fail the request that carries the sign, and the next use tries again", async () => {
    let isDown = true;
    const { issuer, signs, first, second } = await rotated(() => isDown);
    const validate = async () =>
      await sendRequest(
        issuer,
        "POST",
        "/auth/validate",
        { token: second.access_token },
        { Authorization: BASIC },
      );
    assert.equal((await validate()).status, 200);
    await turn();
    assert.equal((await issuer.refresh(first.refresh_token)).status, "ok", "the sign is not recorded");
    isDown = false;
    assert.equal((await validate()).status, 200);
    await turn();
    assert.equal(signs.length, 2);
    assert.equal((await issuer.refresh(first.refresh_token)).status, "refresh_conflict");
    await issuer.close();
  });

  test("law 6: signs take bounded memory, and a bounded number of commands at the same time", async () => {
    const pending: (() => void)[] = [];
    const get = async () => await new Promise<null>((resolve) => pending.push(() => resolve(null)));
    const signs = new ArrivalSigns({ store: { sessions: { get } } } as unknown as IssuerBase);
    const use = (n: number) => signs.recordAccessToken({ sid: `s${n}`, jti: `s${n}.2.x` });
    for (let n = 0; n < 100; n++) use(n);
    assert.equal(pending.length, 32);
    for (const finish of pending.splice(0)) finish();
    await turn();
    for (let n = 0; n < 50; n++) use(n);
    assert.equal(pending.length, 18, "the signs without room are given again");
    for (const odd of [
      {},
      { sid: "a" },
      { sid: "a", jti: "a.x" },
      { sid: "a", jti: "b.2" },
      { jti: "a.2.x" },
    ]) {
      signs.recordAccessToken(odd);
    }
    assert.equal(pending.length, 18);
  });
});

test("law 6: the newest generations of 20,000 sessions are remembered, and the session that was used first is forgotten", async () => {
  let commands = 0;
  const get = async () => {
    commands++;
    return await Promise.resolve(null);
  };
  const signs = new ArrivalSigns({ store: { sessions: { get } } } as unknown as IssuerBase);
  const use = async (n: number) => {
    signs.recordAccessToken({ sid: `s${n}`, jti: `s${n}.2.x` });
    await Promise.resolve();
  };
  for (let n = 0; n <= 20_000; n++) {
    await use(n);
    if (n % 16 === 0) await turn();
  }
  assert.equal(commands, 20_001);
  await use(1);
  await use(20_000);
  assert.equal(commands, 20_001, "both are remembered");
  await use(0);
  assert.equal(commands, 20_002, "this one is forgotten");
});

test("law 8, fault 34: an access token is a sign of arrival also where the clock of the issuer is behind that of the store", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock: new FakeClock(clock.now() + 3_000) });
  const { issuer } = createFixture({ clock, store });
  const second = await refreshed(issuer, await logIn(issuer));
  assert.ok(Number(claimsOf(second.access_token)["iat"]) * 1000 <= clock.now());
  await sendRequest(
    issuer,
    "POST",
    "/auth/validate",
    { token: second.access_token },
    { Authorization: BASIC },
  );
  for (let i = 0; i < 50; i++) await turn();
  assert.notEqual((await store.sessions.get(second.session_id))?.arrivedAt, null);
});

describe("acknowledge in requests for a refresh", () => {
  test("the answer has acknowledge only when the client asked and the issuer waits for it", async () => {
    for (const lostAnswerMs of [0, 60_000]) {
      const { issuer } = createFixture({ lostAnswerMs });
      const awaited = lostAnswerMs > 0 ? true : undefined;
      const ask = async (more: object) => {
        const { refresh_token } = await logIn(issuer);
        const response = await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token, ...more });
        assert.equal(response.status, 200);
        return ((await response.json()) as TokenResponse).acknowledge;
      };
      assert.deepEqual(
        [await ask({}), await ask({ acknowledge: false }), await ask({ acknowledge: true })],
        [undefined, undefined, awaited],
      );
      const { refresh_token } = await logIn(issuer);
      const form = { grant_type: "refresh_token", refresh_token, acknowledge: "true" };
      const response = await post(issuer, "/oauth/token", form);
      assert.equal(((await response.json()) as TokenResponse).acknowledge, awaited);
      await issuer.close();
    }
  });

  test("a malformed acknowledge is a bad request and spends nothing", async () => {
    const { issuer } = createFixture();
    const { refresh_token } = await logIn(issuer);
    const json = await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token, acknowledge: "yes" });
    assert.equal(json.status, 400);
    const form = { grant_type: "refresh_token", refresh_token, acknowledge: "yes" };
    assert.equal((await post(issuer, "/oauth/token", form)).status, 400);
    const response = await sendRequest(issuer, "POST", "/auth/refresh/ack", { refresh_token: "hfr_x" });
    assert.deepEqual(
      [response.status, ((await response.json()) as { error: string }).error],
      [400, "invalid_grant"],
    );
    assert.equal((await sendRequest(issuer, "POST", "/auth/refresh/ack", {})).status, 400);
    assert.equal((await issuer.refresh(refresh_token)).status, "ok");
    await issuer.close();
  });

  test("law 12: an acknowledgement that did not reach the store is 503, and repeating it is harmless", async () => {
    let isDown = true;
    const { issuer, second } = await rotated(() => isDown);
    const send = async () =>
      await sendRequest(issuer, "POST", "/auth/refresh/ack", { refresh_token: second.refresh_token });
    assert.equal((await send()).status, 503);
    assert.equal((await issuer.acknowledge(second.refresh_token)).status, "unavailable");
    isDown = false;
    for (let i = 0; i < 3; i++) assert.equal((await send()).status, 204);
    await issuer.endSession(second.session_id);
    assert.equal((await send()).status, 204);
    await issuer.close();
  });
});
