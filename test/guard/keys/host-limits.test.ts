import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, discovered, jwks, type Fetch, type TrustedIssuer } from "../../../src/index.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";
import { audience } from "../fixture.ts";

const tenant = (n: number) => `https://id.example.com/tenants/${n}`;

/** A guard of 100 issuers of one host, and of one issuer of another host. */
async function setUp(answer: (url: string, clock: FakeClock) => Response | Promise<Response>) {
  const clock = new FakeClock();
  const mint = await createMint({ issuer: tenant(0), audience, clock });
  const requests: string[] = [];
  const state = { inFlight: 0, most: 0, answer };
  const fetch: Fetch = async (url) => {
    if (new URL(url).host !== "id.example.com") return Response.json(mint.jwks());
    requests.push(url);
    state.most = Math.max(state.most, ++state.inFlight);
    await new Promise<void>((resolve) => void clock.after(100, resolve));
    state.inFlight--;
    return await state.answer(url, clock);
  };
  const issuers: TrustedIssuer[] = Array.from({ length: 100 }, (_, n) => ({
    issuer: tenant(n),
    audience,
    keys: jwks(`${tenant(n)}/jwks`, { fetch }),
  }));
  const other = "https://other.example.com";
  issuers.push({ issuer: other, audience, keys: jwks(`${other}/jwks`, { fetch }) });
  return { clock, mint, requests, state, fetch, other, guard: createGuard({ issuers, clock }) };
}

test("fault 26: 100 issuers of one host never have more than eight requests there, and all get their keys", async (t) => {
  const { clock, mint, guard, state, requests, other } = await setUp(() => Response.json(mint.jwks()));
  t.after(async () => await guard.close());
  await clock.advance(0);
  const usable = () => guard.status().issuers.filter(({ keys }) => keys.usable);
  assert.deepEqual(
    usable().map(({ issuer }) => issuer),
    [other],
    "another host does not wait",
  );
  await clock.advance(100 * 13);
  assert.equal(usable().length, 101);
  assert.deepEqual([state.most, requests.length], [8, 100]);
});

test("fault 26: the Retry-After of one issuer's key set counts for all issuers of the host", async (t) => {
  const overloaded = () => new Response(null, { status: 429, headers: { "retry-after": "20" } });
  const { clock, mint, guard, state, requests } = await setUp(overloaded);
  t.after(async () => await guard.close());
  await clock.advance(19_000);
  assert.equal(requests.length, 8, "the requests before the first answer");
  const verdict = await guard.validate(mint.token());
  assert.ok(verdict.status === "unavailable" && verdict.retryAfterMs > 0);
  assert.equal(requests.length, 8);
  state.answer = () => Response.json(mint.jwks());
  await clock.advance(60_000);
  assert.equal(guard.status().issuers.filter(({ keys }) => keys.usable).length, 101);
  assert.ok(requests.length <= 108, `${requests.length}`);
});

test("fault 26: issuers that wait for a hanging host give up, and closing the guard ends their wait", async (t) => {
  const { clock, mint, guard, state } = await setUp(async () => await new Promise<Response>(() => {}));
  t.after(async () => await guard.close());
  const late = guard.validate(mint.token());
  await clock.advance(10_000);
  assert.equal((await late).status, "unavailable");
  state.answer = () => Response.json(mint.jwks());
  await clock.advance(120_000);
  assert.equal(guard.status().issuers.filter(({ keys }) => keys.usable).length, 101);
});

test("fault 26: a 404 with Retry-After concerns its own issuer only", async (t) => {
  const { clock, mint, guard, state } = await setUp((url) =>
    url.endsWith("/0/jwks")
      ? new Response(null, { status: 404, headers: { "retry-after": "600" } })
      : Response.json(mint.jwks()),
  );
  t.after(async () => await guard.close());
  await clock.advance(2_000);
  assert.equal(guard.status().issuers.filter(({ keys }) => !keys.usable).length, 1);
  assert.equal(state.most, 8);
});

test("fault 26: metadata counts for the limits of its host too", async (t) => {
  const clock = new FakeClock();
  const requests: string[] = [];
  const fetch: Fetch = (url) => {
    requests.push(url);
    return new Response(null, { status: 503, headers: { "retry-after": "30" } });
  };
  const issuers = Array.from({ length: 50 }, (_, n) => ({
    issuer: tenant(n),
    audience,
    keys: discovered({ fetch }),
  }));
  const guard = createGuard({ issuers, clock });
  t.after(async () => await guard.close());
  await clock.advance(20_000);
  assert.ok(requests.length <= 8, `${requests.length}`);
});
