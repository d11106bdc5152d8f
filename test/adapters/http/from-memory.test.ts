import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createDecideNodeRequest } from "../../../src/adapters/http/decide-node-request.ts";
import { createDecideWebRequest, type RequestOutcome } from "../../../src/adapters/http/decide-request.ts";
import type { OptionalRules, RequestRules } from "../../../src/adapters/http/token-from.ts";
import type { JwtClaims } from "../../../src/core/verdict.ts";
import { createGuard, introspection, staticKeys, type Guard } from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const open = { closed: false, once: () => {}, off: () => {} };
const HOUR_MS = 3_600_000;

interface Fixture {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly guard: Guard;
  readonly revocations: ReturnType<typeof memoryStore>["revocations"];
}

async function makeFixture(t: TestContext): Promise<Fixture> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const { revocations } = memoryStore({ clock });
  const guard = createGuard({ issuer, audience, keys: staticKeys(mint.jwks()), clock, revocations });
  t.after(async () => await guard.close());
  await guard.ready();
  return { clock, mint, guard, revocations };
}

type Outcome = RequestOutcome<JwtClaims> | Promise<RequestOutcome<JwtClaims>>;

/** Decides on a request with these headers. A decision that was made at once is not a promise. */
function ask(
  guard: Pick<Guard, "authorize">,
  headers: readonly string[],
  rules: RequestRules | OptionalRules = {},
) {
  return createDecideNodeRequest<JwtClaims>(guard, rules)({ rawHeaders: [...headers], headers: {} }, open);
}

const bearer = (token: string) => ["Authorization", `Bearer ${token}`];

async function describeOutcome(outcome: Outcome): Promise<string> {
  const { response } = await outcome;
  return `${outcome instanceof Promise ? "later" : "at once"} ${response.status}`;
}

test("a remembered token that passes is decided at once, with the verdict of authorize", async (t) => {
  const { guard, mint } = await makeFixture(t);
  const token = mint.token({ scope: "read" });
  assert.equal(await describeOutcome(ask(guard, bearer(token))), "later 200");
  const rules = { scopes: ["read"] };
  const outcome = ask(guard, ["Host", "a", "authorization", `Bearer ${token}`], rules);
  assert.ok(!(outcome instanceof Promise));
  assert.deepEqual(outcome.auth, await guard.authorize(token, rules));
  assert.deepEqual(outcome.response, { status: 200, headers: {}, body: null });
  const web = createDecideWebRequest(guard, rules);
  const request = new Request("https://api.example.com", { headers: { authorization: `Bearer ${token}` } });
  assert.equal(await describeOutcome(web(request)), "at once 200");
});

test("every other spelling and place of a remembered token takes all steps", async (t) => {
  const { guard, mint } = await makeFixture(t);
  const token = mint.token();
  await guard.validate(token);
  const cookie = { name: "t", origins: ["https://app.example.com"] };
  const cases: [headers: string[], rules: RequestRules | OptionalRules, expected: string][] = [
    [[...bearer(token), ...bearer(token)], {}, "later 400"],
    [[...bearer(token), "AUTHORIZATION", "Basic x"], {}, "later 400"],
    [["Authorization", `Bearer ${token}, Bearer ${token}`], {}, "later 400"],
    [["Authorization", `Bearer ${token}\t`], {}, "later 400"],
    [["Authorization", `bearer   ${token}`], {}, "later 200"],
    [["Authorization", token], {}, "later 401"],
    [["X-Token", token], { tokenFrom: { header: "x-token", scheme: "" } }, "later 200"],
    [bearer(token), { tokenFrom: { header: "x-token" } }, "later 401"],
    [bearer(token), { tokenFrom: { cookie } }, "later 200"],
    [[...bearer(token), "Cookie", "t=another"], { tokenFrom: { cookie } }, "later 400"],
    [[], {}, "later 401"],
    [[], { optional: true }, "later 200"],
  ];
  for (const [headers, rules, expected] of cases) {
    assert.equal(await describeOutcome(ask(guard, headers, rules)), expected, JSON.stringify(headers));
  }
  const gone = { ...open, closed: true };
  const decide = createDecideNodeRequest<JwtClaims>(guard, {});
  assert.equal(await describeOutcome(decide({ rawHeaders: bearer(token), headers: {} }, gone)), "later 503");
});

test("law 9: time, revocation and rules are decided on every request with a remembered token", async (t) => {
  const { guard, mint, clock, revocations } = await makeFixture(t);
  const token = mint.token({ jti: "one", scope: "read" });
  const other = mint.token({ jti: "two" });
  for (const one of [token, other]) {
    await guard.validate(one);
    assert.equal(await describeOutcome(ask(guard, bearer(one))), "at once 200");
  }
  assert.equal(await describeOutcome(ask(guard, bearer(token), { scopes: ["write"] })), "later 403");
  assert.equal(
    await describeOutcome(ask(guard, bearer(token), { audience: "https://b.example.com" })),
    "later 401",
  );
  assert.equal(await describeOutcome(ask(guard, bearer(token), { maxAuthAgeMs: 1_000 })), "later 401");
  await revocations.append({ kind: "token", id: "two", issuer, until: clock.now() + HOUR_MS });
  await clock.advance(1_000);
  assert.equal(await describeOutcome(ask(guard, bearer(other))), "later 401");
  assert.equal(await describeOutcome(ask(guard, bearer(token))), "at once 200");
  await clock.advance(2 * HOUR_MS);
  assert.equal(await describeOutcome(ask(guard, bearer(token))), "later 401");
});

test("a closed guard and withdrawn keys let no remembered token pass", async (t) => {
  const { guard, mint } = await makeFixture(t);
  const token = mint.token();
  await guard.validate(token);
  await guard.close();
  assert.equal(await describeOutcome(ask(guard, bearer(token))), "later 503");
});

test("a function around authorize is never passed by", async (t) => {
  const { guard, mint } = await makeFixture(t);
  const token = mint.token();
  await guard.validate(token);
  const refuse: Guard["authorize"] = async () =>
    await Promise.resolve({ status: "invalid", reason: "revoked" });
  const bound = { authorize: guard.authorize.bind(guard) };
  assert.equal(await describeOutcome(ask(bound, bearer(token))), "later 200");
  assert.equal(await describeOutcome(ask({ ...guard, authorize: refuse }, bearer(token))), "later 401");
  // The application replaces the method when the route exists already.
  const copy = { ...guard };
  const decide = createDecideNodeRequest<JwtClaims>(copy, {});
  const request = { rawHeaders: bearer(token), headers: {} };
  assert.equal(await describeOutcome(decide(request, open)), "at once 200");
  copy.authorize = refuse;
  assert.equal(await describeOutcome(decide(request, open)), "later 401");
});

test("a remembered opaque token with a comma passes nowhere", async (t) => {
  const guard = createGuard({
    issuer,
    audience,
    keys: staticKeys((await createMint({ issuer, audience })).jwks()),
    authority: introspection({
      url: `${issuer}/introspect`,
      clientId: "guard",
      clientSecret: "secret-of-the-guard",
      opaque: /^[a-z, -]+$/,
      fetch: async () =>
        Response.json({ active: true, sub: "s", aud: audience, exp: Math.ceil(Date.now() / 1000) + 600 }),
    }),
  });
  t.after(async () => await guard.close());
  const [plain, odd] = ["an-opaque-token-without-a-comma", "an-opaque-token, bearer x"];
  for (const token of [plain, odd]) assert.equal((await guard.validate(token)).status, "valid");
  assert.equal(await describeOutcome(ask(guard, bearer(plain))), "at once 200");
  assert.equal(await describeOutcome(ask(guard, bearer(odd))), "later 400");
});

test("law 1: a tracing that throws makes a remembered token unavailable, and no adapter throws", async (t) => {
  const { clock, mint } = await makeFixture(t);
  let isBroken = false;
  const guard = createGuard({
    issuer,
    audience,
    keys: staticKeys(mint.jwks()),
    clock,
    tracing: {
      span: async (_, work) => await work({ reference: undefined, set: () => {}, fail: () => {} }),
      annotate() {
        if (isBroken) throw new Error("the exporter is full");
      },
      link: () => {},
      traceId: () => undefined,
      requestHeaders: () => ({}),
    },
  });
  t.after(async () => await guard.close());
  const token = mint.token();
  await guard.validate(token);
  assert.equal(await describeOutcome(ask(guard, bearer(token))), "at once 200");
  isBroken = true;
  assert.equal(await describeOutcome(ask(guard, bearer(token))), "later 503");
});

test("each request counts once, whether it was decided at once or not", async (t) => {
  const { guard, mint } = await makeFixture(t);
  const [token, other] = [mint.token(), mint.token({ scope: "read" })];
  await ask(guard, bearer(token));
  for (let i = 0; i < 3; i++) await ask(guard, bearer(token));
  await ask(guard, bearer(other), { scopes: ["read"] });
  await ask(guard, bearer(other), { scopes: ["write"] });
  await ask(guard, bearer("not.a.token"));
  const decisions = [...guard.metrics()].find(({ name }) => name === "holdfast_guard_decisions_total");
  assert.ok(decisions?.kind === "counter");
  const total = decisions.samples.reduce((sum, { value }) => sum + value, 0);
  assert.equal(total, 7);
  const { hits, misses } = guard.status().memory.valid;
  assert.deepEqual({ hits, misses }, { hits: 4, misses: 3 });
});
