import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createGuard, introspection, staticKeys, type Guard } from "../../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { client, url } from "./fixture.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const opaqueToken = "opaque-token-of-alice";

interface Setup {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly guard: Guard;
  readonly asked: string[];
  /** Replaces the answer about every token that is no probe. */
  answer: () => Response;
}

/** A provider that answers 400 about its own JWTs, like node-oidc-provider. */
async function setUp(t: TestContext, more: { requiredClaims?: string[] } = {}): Promise<Setup> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const asked: string[] = [];
  const setup: Setup = {
    clock,
    mint,
    asked,
    answer: () => Response.json({ active: true, sub: "alice", aud: audience, exp: clock.now() / 1000 + 600 }),
    guard: createGuard({
      issuer,
      audience,
      keys: staticKeys(mint.jwks()),
      authority: introspection({
        url,
        ...client,
        opaque: true,
        ask: "opaque",
        fetch: async (_url, { body }) => {
          const token = new URLSearchParams(body as string).get("token") ?? "";
          if (token.startsWith("holdfast-probe-")) return Response.json({ active: false });
          asked.push(token);
          return token.startsWith("ey") ? new Response("", { status: 400 }) : setup.answer();
        },
      }),
      clock,
      ...more,
    }),
  };
  t.after(async () => await setup.guard.close());
  return setup;
}

test("ask: opaque decides JWTs by their verification, and never sends one to the authority", async (t) => {
  const { mint, guard, asked, clock } = await setUp(t);
  const token = mint.token({ sub: "bob" });
  for (const from of ["verification", "memory"]) {
    const verdict = await guard.validate(token);
    assert.equal(verdict.status, "valid");
    assert.deepEqual([verdict.basis, verdict.from, verdict.subject], ["verification", from, "bob"]);
  }
  // The result is older than `memory.ttlMs`, after which an authority would be asked again.
  await clock.advance(301_000);
  assert.equal((await guard.validate(token)).status, "valid");
  const admission = await guard.admit(token);
  assert.ok(admission.status === "admitted" && !admission.hasAuthority);
  const lacking = mint.token({ aud: undefined });
  assert.deepEqual(await guard.validate(lacking), { status: "invalid", reason: "missing_claim" });
  assert.deepEqual(asked, []);
});

test("ask: opaque sends opaque tokens to the authority, whose answer is the basis", async (t) => {
  const { guard, asked, clock } = await setUp(t);
  const verdict = await guard.validate(opaqueToken);
  assert.ok(verdict.status === "valid" && verdict.basis === "authority");
  const admission = await guard.admit(opaqueToken);
  assert.ok(admission.status === "admitted" && admission.hasAuthority);
  assert.equal(asked.length, 1);
  await clock.advance(301_000);
  assert.equal((await guard.validate(opaqueToken)).status, "valid");
  assert.equal(asked.length, 2);
});

test("law 10: an outage of an authority for opaque tokens is degraded, as JWTs pass without it", async (t) => {
  const { guard, mint } = await setUp(t);
  guard.forceBreaker("open");
  assert.equal((await guard.validate(opaqueToken)).status, "unavailable");
  const verdict = await guard.validate(mint.token({ sub: "bob" }));
  assert.ok(verdict.status === "valid" && verdict.degraded === null);
  assert.equal(guard.status().state, "degraded");
});

test("an answer without sub or aud is refused, unless the policy asks for another claim", async (t) => {
  const lacksBoth = () => Response.json({ active: true, client_id: "app", exp: 4e9 });
  const lacksSub = () => Response.json({ active: true, client_id: "app", aud: audience, exp: 4e9 });
  const setup = await setUp(t);
  for (const answer of [lacksBoth, lacksSub]) {
    setup.answer = answer;
    assert.deepEqual(await setup.guard.validate(opaqueToken), { status: "invalid", reason: "missing_claim" });
    await setup.clock.advance(10_001);
  }
  const forClients = await setUp(t, { requiredClaims: ["client_id"] });
  forClients.answer = lacksSub;
  const verdict = await forClients.guard.validate(opaqueToken);
  assert.ok(verdict.status === "valid" && verdict.subject === "");
});

test("ask is all or opaque, and opaque needs the option opaque", () => {
  assert.throws(() => introspection({ url, ...client, ask: "opaque" }), {
    code: "invalid_option",
    message: 'introspection: opaque must be true or a RegExp with ask: "opaque"; got undefined',
  });
  assert.throws(() => introspection({ url, ...client, opaque: true, ask: "jwt" as "all" }), {
    code: "invalid_option",
    message: /^introspection: ask must be all or opaque; got/,
  });
});
