import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test, type TestContext } from "node:test";
import type { ValidVerdict } from "../../src/core/verdict.ts";
import { oneOf } from "../../src/core/claim-rules.ts";
import { introspection } from "../../src/guard/authority/introspection.ts";
import { createGuard } from "../../src/guard/create-guard.ts";
import { jwks } from "../../src/guard/keys/jwks.ts";
import type { Guard, GuardOptions } from "../../src/guard/types.ts";
import { createProvider, FakeClock, type Provider } from "../../src/testing/index.ts";
import type { RequestRules } from "../../src/adapters/http/token-from.ts";
import { bearer, type TestResponse, type Send } from "./http-client.ts";

export type TestGuard = Pick<Guard, "authorize">;

/** An application on a framework. */
export interface Framework {
  readonly name: string;
  /** The framework's `protect`. */
  readonly protect: (guard: TestGuard, rules: RequestRules) => unknown;
  /** Serves `handle` on GET and DELETE `/`, behind one `protect` for each item of `chain`, in that order. */
  serve(t: TestContext, guard: TestGuard, chain: readonly RequestRules[], handle: Handle): Promise<Send>;
}

export type Handle = (auth: ValidVerdict) => string;

const audience = "https://api.example.com";
const unreachable: Handle = () => assert.fail("reached");
const greet: Handle = ({ subject }) => `hello ${subject}`;

/** Creates a guard for a provider in this process. The clock stands still, so that no call times out. */
export async function setUp(
  t: TestContext,
  { asks = false }: { asks?: boolean } = {},
): Promise<{ provider: Provider; guard: Guard }> {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock });
  const { clientId, clientSecret, fetch, issuer } = provider;
  const keys = jwks(provider.url("jwks"), { fetch });
  const options: GuardOptions = { issuer, audience, keys, clock, degraded: "local" };
  const authority = introspection({ url: provider.url("introspection"), clientId, clientSecret, fetch });
  const guard = createGuard(asks ? { ...options, authority } : options);
  t.after(async () => await guard.close());
  if (asks) await guard.ready(); // The guard probes the authority first.
  provider.resetCounts();
  return { provider, guard };
}

function decodeClaims(token: string): unknown {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

export function assertRefused(
  { status, headers, body }: TestResponse,
  expected: number,
  error: string,
): void {
  assert.equal(status, expected);
  const said = JSON.parse(body) as Record<string, unknown>;
  assert.deepEqual(Object.keys(said), ["error", "error_description"]);
  assert.equal(said["error"], error);
  assert.match(String(headers["content-type"]), /^application\/json\b/);
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers["x-auth-degraded"], undefined);
}

/** The tests that `protect` passes on every framework. */
export function adapterContract(framework: Framework): void {
  const { name } = framework;
  describe(`protect on ${name}`, () => {
    const serve = async (
      t: TestContext,
      guard: TestGuard,
      rules: RequestRules = {},
      handle: Handle = unreachable,
    ) => await framework.serve(t, guard, [rules], handle);

    test("a request with a valid token reaches the handler with the verdict", async (t) => {
      const { provider, guard } = await setUp(t);
      const send = await serve(t, guard, { scopes: ["read"] }, greet);
      const answer = await send({ headers: [bearer(provider.token({ sub: "alice", scope: "read" }))] });
      assert.deepEqual([answer.status, answer.body], [200, "hello alice"]);
      assert.equal(answer.headers["x-auth-degraded"], undefined);
    });

    test("a request without a bearer token gets 401 with a challenge and without an error code", async (t) => {
      const send = await serve(t, { authorize: () => assert.fail("asked") });
      for (const headers of [[], [["Authorization", "Basic dXNlcjpwYXNz"]]] as const) {
        const answer = await send({ headers });
        assertRefused(answer, 401, "unauthorized");
        assert.equal(answer.headers["www-authenticate"], 'Bearer realm="api"');
      }
    });

    test("a malformed or a second header gets 400 without a call of the guard", async (t) => {
      const send = await serve(t, { authorize: () => assert.fail("asked") });
      const basic = ["Authorization", "Basic dXNlcjpwYXNz"] as const;
      const malformed = [
        [bearer("a b")],
        [bearer("")],
        [bearer("a"), bearer("a")],
        [bearer("a"), bearer("b")],
        [bearer("a"), basic],
        [basic, ["authorization", "bearer a"]],
      ] as const;
      for (const headers of malformed) {
        const answer = await send({ headers });
        assertRefused(answer, 400, "invalid_request");
        assert.equal(answer.headers["www-authenticate"], 'Bearer realm="api", error="invalid_request"');
      }
    });

    test("an expired, forged or foreign token gets 401, and the response does not tell which", async (t) => {
      const { provider, guard } = await setUp(t);
      const send = await serve(t, guard);
      const stranger = await createProvider({ audience, clock: new FakeClock() });
      const tokens = [
        provider.token({ exp: 1 }),
        stranger.token({}, { kid: provider.kid }),
        provider.token({ aud: "another" }),
        "nonsense",
      ];
      const bodies = new Set<string>();
      for (const token of tokens) {
        const answer = await send({ headers: [bearer(token)] });
        assertRefused(answer, 401, "invalid_token");
        assert.equal(answer.headers["www-authenticate"], 'Bearer realm="api", error="invalid_token"');
        bodies.add(answer.body);
      }
      assert.equal(bodies.size, 1);
    });

    test("a missing scope gets 403 and is named", async (t) => {
      const { provider, guard } = await setUp(t);
      const send = await serve(t, guard, { scopes: ["read", "write"] });
      const answer = await send({ headers: [bearer(provider.token({ scope: "read" }))] });
      assertRefused(answer, 403, "insufficient_scope");
      const challenge = 'Bearer realm="api", error="insufficient_scope", scope="read write"';
      assert.equal(answer.headers["www-authenticate"], challenge);
    });

    test("anyScope needs one of its scopes, and the challenge names all that would do", async (t) => {
      const { provider, guard } = await setUp(t);
      const rules = { scopes: ["profile"], anyScope: ["read", "write"] };
      const send = await serve(t, guard, rules, greet);
      const ask = async (scope: string) =>
        await send({ headers: [bearer(provider.token({ sub: "a", scope }))] });
      assert.equal((await ask("profile write")).status, 200);
      assertRefused(await ask("write"), 403, "insufficient_scope");
      const answer = await ask("profile");
      assertRefused(answer, 403, "insufficient_scope");
      const challenge = 'Bearer realm="api", error="insufficient_scope", scope="profile read write"';
      assert.equal(answer.headers["www-authenticate"], challenge);
    });

    test("claims refuse a token of another tenant, and no response shows what was expected", async (t) => {
      const { provider, guard } = await setUp(t);
      const send = await serve(t, guard, { claims: { tid: oneOf("tenant-1", "tenant-2") } }, greet);
      const ask = async (claims: object) => await send({ headers: [bearer(provider.token({ ...claims }))] });
      assert.equal((await ask({ tid: "tenant-2" })).status, 200);
      const refused = [
        await ask({ tid: "tenant-3" }),
        await ask({}),
        await ask({ aud: "https://else.example" }),
      ];
      for (const answer of refused) {
        assertRefused(answer, 401, "invalid_token");
        assert.doesNotMatch(JSON.stringify(answer), /tenant-|tid|api\.example\.com|else\.example|detail/);
      }
    });

    test("a login that is too old gets the challenge of RFC 9470, and a newer one passes", async (t) => {
      const { provider, guard } = await setUp(t);
      const send = await serve(t, guard, { maxAuthAgeMs: 300_500 }, greet);
      const nowS = (decodeClaims(provider.token()) as { iat: number }).iat;
      for (const auth_time of [undefined, nowS - 301]) {
        const answer = await send({ headers: [bearer(provider.token({ auth_time }))] });
        assertRefused(answer, 401, "insufficient_user_authentication");
        const challenge =
          'Bearer realm="api", error="insufficient_user_authentication", ' +
          'error_description="More recent authentication is required", max_age="300"';
        assert.equal(answer.headers["www-authenticate"], challenge);
      }
      const recent = provider.token({ sub: "alice", auth_time: nowS - 300 });
      assert.equal((await send({ headers: [bearer(recent)] })).body, "hello alice");
    });

    test("law 1: a request gets 503 with Retry-After and no challenge while the keys cannot be fetched", async (t) => {
      const { provider, guard } = await setUp(t);
      provider.fault("jwks", { status: 500 });
      const send = await serve(t, guard);
      const answer = await send({ headers: [bearer(provider.token())] });
      assertRefused(answer, 503, "temporarily_unavailable");
      assert.match(String(answer.headers["retry-after"]), /^[1-9]\d*$/);
      assert.equal(answer.headers["www-authenticate"], undefined);
    });

    test("law 1: a guard that throws or rejects gives 503, and the response does not tell why", async (t) => {
      const failures: (() => unknown)[] = [
        () => {
          throw new Error("secret detail");
        },
        async () => await Promise.reject(new Error("secret detail")),
        () => undefined,
        () => ({ status: "unheard of" }),
      ];
      for (const authorize of failures) {
        const send = await serve(t, { authorize: authorize as TestGuard["authorize"] });
        const answer = await send({ headers: [bearer("token")] });
        assertRefused(answer, 503, "temporarily_unavailable");
        assert.equal(answer.headers["retry-after"], "1");
        assert.doesNotMatch(JSON.stringify(answer), /secret detail|\.ts:/);
      }
    });

    test("accepts a guard that returns plain values", async (t) => {
      const authorize = () => ({ status: "invalid", reason: "revoked" });
      const send = await serve(t, { authorize: authorize as unknown as TestGuard["authorize"] });
      assertRefused(await send({ headers: [bearer("token")] }), 401, "invalid_token");
    });

    test("law 10: a degraded decision is declared, and a route that refuses it responds with 503", async (t) => {
      const { provider, guard } = await setUp(t, { asks: true });
      provider.fault("introspection", { status: 500 });
      const lax = await serve(t, guard, {}, greet);
      const letIn = await lax({ headers: [bearer(provider.token({ sub: "alice" }))] });
      assert.deepEqual([letIn.status, letIn.body], [200, "hello alice"]);
      assert.equal(letIn.headers["x-auth-degraded"], "authority_unavailable");
      const strict = await serve(t, guard, { degraded: "deny" });
      assertRefused(await strict({ headers: [bearer(provider.token())] }), 503, "temporarily_unavailable");
    });

    test("two guards on one route must both accept, and the last one declares its decision", async (t) => {
      const { provider, guard } = await setUp(t, { asks: true });
      const token = provider.token({ sub: "alice", scope: "read" });
      const both = await framework.serve(t, guard, [{}, { scopes: ["read"] }], greet);
      assert.equal((await both({ headers: [bearer(token)] })).body, "hello alice");
      assert.equal(provider.counts("introspection").requests, 1);
      const narrower = await framework.serve(t, guard, [{}, { scopes: ["write"] }], unreachable);
      assertRefused(await narrower({ headers: [bearer(token)] }), 403, "insufficient_scope");

      provider.fault("introspection", { status: 500 });
      const unknown = bearer(provider.token());
      const strict = await framework.serve(t, guard, [{}, { degraded: "deny" }], unreachable);
      assertRefused(await strict({ headers: [unknown] }), 503, "temporarily_unavailable");
      const [degraded, whole] = [{ cause: "authority_unavailable", sinceMs: 1 }, null];
      const verdict = await guard.authorize(token);
      const turns = [degraded, whole];
      const authorize = async () => ({ ...verdict, degraded: turns.shift() }) as typeof verdict;
      const recovered = await framework.serve(t, { authorize }, [{}, {}], greet);
      const answer = await recovered({ headers: [bearer(token)] });
      assert.deepEqual([answer.status, answer.headers["x-auth-degraded"]], [200, undefined]);
    });

    test("HEAD gets the response of GET without the body", async (t) => {
      const { provider, guard } = await setUp(t);
      const send = await serve(t, guard, {}, greet);
      const refused = await send({ method: "HEAD" });
      assert.deepEqual([refused.status, refused.body], [401, ""]);
      assert.equal(refused.headers["www-authenticate"], 'Bearer realm="api"');
      const passed = await send({ method: "HEAD", headers: [bearer(provider.token())] });
      assert.deepEqual([passed.status, passed.body], [200, ""]);
    });

    test("law 7: a client that goes away aborts its own call of the guard, and no other", async (t) => {
      const { provider, guard } = await setUp(t, { asks: true });
      provider.fault("introspection", { hang: true });
      const signals: (AbortSignal | undefined)[] = [];
      const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const watched: TestGuard = {
        async authorize(token, rules) {
          arrived[signals.push(rules?.signal) - 1]?.resolve();
          return await guard.authorize(token, { ...rules, degraded: "deny" });
        },
      };
      const send = await serve(t, watched, {}, greet);
      const headers = [bearer(provider.token({ sub: "alice" }))];
      const leaving = new AbortController();
      const left = send({ headers, signal: leaving.signal }).catch(() => {}); // Without a network this request succeeds.
      await arrived[0]?.promise;
      const stayed = send({ headers });
      await arrived[1]?.promise;
      const ended = once(signals[0] as AbortSignal, "abort");
      leaving.abort();
      await ended;
      await left;
      assert.equal(signals[1]?.aborted, false);
      provider.restore();
      assert.equal((await stayed).body, "hello alice");
      assert.equal(provider.counts("introspection").requests, 1);
    });

    test("the signal is aborted from the start when the client has already gone away", async (t) => {
      const signals: (AbortSignal | undefined)[] = [];
      const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const { provider, guard } = await setUp(t);
      const token = provider.token();
      const verdict = await guard.authorize(token);
      const slow: TestGuard = {
        async authorize(_, rules) {
          const signal = rules?.signal;
          const turn = signals.push(signal) - 1;
          asked[turn]?.resolve();
          if (turn === 0 && signal?.aborted === false) await once(signal, "abort");
          return verdict;
        },
      };
      const send = await framework.serve(t, slow, [{}, {}], greet);
      const leaving = new AbortController();
      const left = send({ headers: [bearer(token)], signal: leaving.signal }).catch(() => {});
      await asked[0]?.promise;
      leaving.abort();
      await asked[1]?.promise;
      assert.equal(signals[1]?.aborted, true);
      await left;
    });

    test("law 7: fifty concurrent requests with one cold token share one validation, and fifty tokens get their own results", async (t) => {
      const { provider, guard } = await setUp(t, { asks: true });
      const send = await serve(t, guard, {}, greet);
      const fifty = async (token: (i: number) => string) =>
        await Promise.all(
          Array.from({ length: 50 }, async (_, i) => (await send({ headers: [bearer(token(i))] })).body),
        );
      const one = provider.token({ sub: "alice" });
      assert.ok((await fifty(() => one)).every((body) => body === "hello alice"));
      assert.equal(provider.counts("introspection").requests, 1);
      const bodies = await fifty((i) => (i % 5 === 0 ? "nonsense" : provider.token({ sub: `user ${i}` })));
      for (const [i, body] of bodies.entries()) {
        if (i % 5 === 0) assert.match(body, /invalid_token/);
        else assert.equal(body, `hello user ${i}`);
      }
    });

    test("checks guard and rules at creation, and reads them once", async (t) => {
      const guard: TestGuard = { authorize: () => assert.fail("asked") };
      const protect = framework.protect as (guard: unknown, rules: unknown) => unknown;
      assert.throws(() => protect({}, {}), { code: "missing_method", message: /authorize/ });
      assert.throws(() => protect(undefined, {}), { code: "invalid_option", message: /protect: guard/ });
      const wrong: [rules: unknown, message: RegExp][] = [
        [{ scope: ["read"] }, /^protect: rules has no option "scope"/],
        [{ scopes: "read" }, /^protect: scopes must be an array of strings; got "read"/],
        [{ scopes: [1] }, /^protect: scopes must be an array of strings/],
        [{ maxRevocationAgeMs: -1 }, /^protect: maxRevocationAgeMs must be a number of at least 0; got -1/],
        [{ maxRevocationAgeMs: "5" }, /^protect: maxRevocationAgeMs must be a number/],
        [{ maxAuthAgeMs: 0 }, /^protect: maxAuthAgeMs must be a whole number of at least 1000; got 0/],
        [{ degraded: true }, /^protect: degraded must be deny, cached or local; got true/],
        [{ signal: null }, /^protect: rules has no option "signal"/],
        ["read", /^protect: rules must be an object of options; got a string/],
      ];
      for (const [rules, message] of wrong) {
        assert.throws(() => protect(guard, rules), { code: "invalid_option", message });
      }
      const real = await setUp(t);
      const rules = { scopes: ["write"] };
      const send = await serve(t, real.guard, rules);
      rules.scopes.pop();
      assertRefused(await send({ headers: [bearer(real.provider.token())] }), 403, "insufficient_scope");
    });
  });
}
