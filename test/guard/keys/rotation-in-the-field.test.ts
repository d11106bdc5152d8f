import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import { createGuard, discovered, introspection, jwks, type JwksOptions } from "../../../src/index.ts";
import { createMint, type Mint } from "../../../src/testing/index.ts";
import type { Clock } from "../../../src/core/clock.ts";
import type { Algorithm } from "../../../src/jwt/algorithms.ts";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { audience, issuer, makeFixture, onlyIssuer, type Fixture } from "../fixture.ts";

const url = "https://id.example/jwks.json";

interface Asked {
  readonly url: string;
  readonly init: RequestInit;
}

interface Setup extends Fixture {
  readonly requests: readonly Asked[];
  /** Replaces the answer of the key endpoint. */
  readonly answer: (next: () => Response | Promise<Response>) => void;
  readonly serve: (...sets: readonly { keys: readonly object[] }[]) => void;
  readonly makeGuard: (
    options?: JwksOptions,
    more?: Partial<SingleIssuerOptions>,
  ) => ReturnType<Fixture["guard"]>;
}

async function setUp(): Promise<Setup> {
  const fixture = await makeFixture();
  const requests: Asked[] = [];
  let current: () => Response | Promise<Response> = () => Response.json(fixture.mint.jwks());
  const fetch = async (asked: string, init: RequestInit) => {
    requests.push({ url: asked, init });
    return await current();
  };
  return {
    ...fixture,
    requests,
    answer: (next) => void (current = next),
    serve: (...sets) => {
      const keys = sets.flatMap((set) => set.keys);
      current = () => Response.json({ keys });
    },
    makeGuard: (options = {}, more = {}) =>
      fixture.guard({ keys: jwks(url, { fetch, ...options }), ...more }),
  };
}

/** A mint with a key of its own under the `kid` of another mint. */
async function createTwin(mint: Mint, clock: Clock, algorithm: Algorithm = "ES256"): Promise<Mint> {
  const { privateJwk } = await createMint({ issuer, audience, algorithm });
  return await createMint({ issuer, audience, clock, algorithm, key: { ...privateJwk, kid: mint.kid } });
}

function brokenConnection(code: string): Error {
  return new TypeError("fetch failed", { cause: Object.assign(new Error("broken"), { code }) });
}

/** A response whose body ends with an error in the middle. */
function cutResponse(): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"keys":['));
    },
    pull(controller) {
      controller.error(new TypeError("terminated"));
    },
  });
  return new Response(body);
}

const passingFailures: [string, () => Response | Promise<Response>][] = [
  ["a reset connection", () => Promise.reject(brokenConnection("ECONNRESET"))],
  ["a socket that the server closed", () => Promise.reject(brokenConnection("UND_ERR_SOCKET"))],
  ["a body that is cut", () => cutResponse()],
  ["a 502", () => new Response("bad gateway", { status: 502 })],
  ["a 503", () => new Response("down", { status: 503 })],
  ["a 504", () => new Response("slow", { status: 504 })],
];

for (const [what, fail] of passingFailures) {
  test(`fault 79: ${what} at a key rotation delays no token of the new key`, async () => {
    const { makeGuard, mint, clock, answer, requests } = await setUp();
    const next = await createMint({ issuer, audience, clock });
    const guard = makeGuard();
    assert.equal((await guard.validate(mint.token())).status, "valid");
    await clock.advance(600_000);
    let isFirst = true;
    answer(() => {
      if (!isFirst) return Response.json({ keys: [...mint.jwks().keys, ...next.jwks().keys] });
      isFirst = false;
      return fail();
    });
    assert.equal((await guard.validate(next.token())).status, "valid");
    assert.equal(requests.length, 3);
  });
}

test("fault 79: while a token waits for an unknown kid, failed attempts are repeated after about 1, 2, 4 … s up to the cool-down", async () => {
  const { makeGuard, mint, clock, answer, requests } = await setUp();
  const next = await createMint({ issuer, audience, clock });
  const guard = makeGuard({ coolDownMs: 30_000 }, { random: () => 1 });
  await guard.validate(mint.token());
  await clock.advance(600_000);
  answer(() => new Response("down", { status: 500 }));
  const began = clock.monotonic();
  const times: number[] = [];
  for (let i = 0; i < 2_000; i++) {
    const before = requests.length;
    const verdict = await guard.validate(next.token());
    assert.equal(verdict.status === "unavailable" && verdict.cause, "key_pending");
    if (requests.length > before) times.push(Math.round((clock.monotonic() - began) / 1_000));
    await clock.advance(100);
  }
  assert.deepEqual(times, [0, 1, 3, 7, 15, 31, 61, 91, 121, 151, 181]);
});

test("fault 79: a token that begins to wait during a long pause shortens the pause to a second", async () => {
  const { makeGuard, mint, clock, answer, serve } = await setUp();
  const next = await createMint({ issuer, audience, clock });
  const guard = makeGuard({ freshMs: 60_000, coolDownMs: 30_000 });
  await guard.validate(mint.token());
  answer(() => new Response("down", { status: 500 }));
  await clock.advance(600_000);
  serve(mint.jwks(), next.jwks());
  assert.equal((await guard.validate(next.token())).status, "unavailable");
  await clock.advance(1_000);
  assert.equal((await guard.validate(next.token())).status, "valid");
});

for (const header of [undefined, "max-age=43200"]) {
  test(`fault 79: a key that replaces another under the same kid is used within the cool-down (Cache-Control: ${header ?? "none"})`, async () => {
    const { makeGuard, mint, clock, answer, requests } = await setUp();
    const next = await createTwin(mint, clock);
    const headers: Record<string, string> = header === undefined ? {} : { "cache-control": header };
    answer(() => Response.json(mint.jwks(), { headers }));
    const guard = makeGuard({ coolDownMs: 30_000 });
    assert.equal((await guard.validate(mint.token())).status, "valid");
    await clock.advance(60_000);
    answer(() => Response.json(next.jwks(), { headers }));
    // The signature does not fit the key of this kid, so the token is invalid at once, and a fetch begins.
    assert.deepEqual(await guard.validate(next.token()), { status: "invalid", reason: "bad_signature" });
    await clock.advance(0);
    assert.equal((await guard.validate(next.token())).status, "valid");
    const before = requests.length;
    for (let i = 0; i < 500; i++) await guard.validate(mint.token({ jti: `forged-${i}` }));
    assert.ok(requests.length - before <= 1, `${requests.length - before} fetches`);
  });
}

test("fault 79: the authority vouches for a token whose key is missing from an old copy of the set", async () => {
  const { makeGuard, mint, clock, answer, requests } = await setUp();
  const next = await createMint({ issuer, audience, clock });
  const old = { "cache-control": "public, max-age=600", age: "120" };
  answer(() => Response.json(mint.jwks(), { headers: old }));
  const asked: string[] = [];
  const authority = introspection({
    url: "https://id.example/introspect",
    clientId: "api",
    clientSecret: "secret",
    fetch: (_url, init) => {
      const token = new URLSearchParams(init.body as string).get("token") ?? "";
      asked.push(token);
      return Response.json(token.startsWith("ey") ? { active: true, sub: "user" } : { active: false });
    },
  });
  const guard = makeGuard({}, { authority });
  await guard.validate(mint.token());
  await clock.advance(60_000);
  const token = next.token();
  const verdict = await guard.validate(token);
  assert.equal(verdict.status === "valid" && verdict.basis, "authority");
  assert.ok(asked.includes(token));
  assert.equal(requests.at(-1)?.init.cache, "no-store");
  assert.equal(new Headers(requests.at(-1)?.init.headers).get("cache-control"), "no-cache");
  // The first fetch was not caused by an unknown key, so a cache may answer it.
  assert.equal(new Headers(requests[0]?.init.headers).get("cache-control"), null);
});

test("fault 79: two keys of one kid each verify their own tokens, and a stranger's token stays invalid", async () => {
  const { makeGuard, mint, clock, serve } = await setUp();
  const twin = await createTwin(mint, clock);
  const pss = await createTwin(mint, clock, "PS256");
  const stranger = await createTwin(mint, clock);
  serve(mint.jwks(), twin.jwks(), pss.jwks());
  const guard = makeGuard();
  for (const one of [mint, twin, pss]) assert.equal((await guard.validate(one.token())).status, "valid");
  assert.deepEqual(await guard.validate(stranger.token()), { status: "invalid", reason: "bad_signature" });
});

test("the key set is requested as RFC 7517 §8.5 names its media type", async () => {
  const { makeGuard, mint, requests } = await setUp();
  await makeGuard().validate(mint.token());
  const accept = new Headers(requests[0]?.init.headers).get("accept");
  assert.equal(accept, "application/json, application/jwk-set+json");
});

test("a guard without the option fetch uses the platform's fetch of the moment", async (t: TestContext) => {
  const { mint, clock } = await setUp();
  const platform = globalThis.fetch;
  t.after(() => void (globalThis.fetch = platform));
  globalThis.fetch = () => Promise.reject(new TypeError("the fetch at creation"));
  const guard = createGuard({ issuer, audience, clock, keys: jwks(url, { coolDownMs: 1_000 }) });
  t.after(async () => await guard.close());
  await clock.advance(0);
  globalThis.fetch = () => Promise.resolve(Response.json(mint.jwks()));
  await clock.advance(2_000);
  assert.equal((await guard.validate(mint.token())).status, "valid");
});

const foreignResponses: [string, object, RegExp][] = [
  [
    "a Node stream as body",
    { status: 200, headers: new Headers(), body: Readable.from(["{}"]) },
    /web stream/,
  ],
  ["no headers", { status: 200, body: null }, /headers with the method get/],
  ["no status", { headers: new Headers(), body: null }, /numeric status/],
];

for (const [what, response, message] of foreignResponses) {
  test(`a fetch whose response has ${what} is named in the error`, async () => {
    const { makeGuard, mint } = await setUp();
    const guard = makeGuard({ fetch: () => response as Response });
    assert.equal((await guard.validate(mint.token())).status, "unavailable");
    assert.match(onlyIssuer(guard).keys.lastError ?? "", message);
  });
}

test("metadata of another issuer is refused with both names", async () => {
  const { guard, mint } = await setUp();
  const fetch = () => Response.json({ issuer: `${issuer}/`, jwks_uri: url });
  const g = guard({ keys: discovered({ fetch }) });
  assert.equal((await g.validate(mint.token())).status, "unavailable");
  const { lastError } = onlyIssuer(g).keys;
  assert.ok(lastError?.includes(`"${issuer}/"`) && lastError.includes(`"${issuer}"`), String(lastError));
});

test("an issuer with a placeholder or a wildcard is refused at creation", () => {
  for (const name of [
    "https://login.example.com/{tenantid}/v2.0",
    "https://*.example.com",
    "https://a.example/{x",
  ]) {
    assert.throws(() => createGuard({ issuer: name, audience, keys: jwks(url) }), {
      code: "invalid_option",
      message: /exact `iss`/,
    });
  }
});

test("fault 79: a token that was issued up to a minute ahead of the guard's clock is valid, and later ones are unavailable", async () => {
  const { makeGuard, mint, clock } = await setUp();
  const guard = makeGuard();
  const seconds = () => Math.floor(clock.now() / 1_000);
  const issuedIn = (ahead: number) => mint.token({ iat: seconds() + ahead, exp: seconds() + ahead + 600 });
  for (const ahead of [6, 30, 59, 60]) assert.equal((await guard.validate(issuedIn(ahead))).status, "valid");
  const verdict = await guard.validate(issuedIn(90));
  assert.ok(verdict.status === "unavailable" && verdict.cause === "clock_uncertain");
  assert.ok(verdict.retryAfterMs <= 31_000, String(verdict.retryAfterMs));
});
