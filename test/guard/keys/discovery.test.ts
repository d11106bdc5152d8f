import assert from "node:assert/strict";
import { test } from "node:test";
import { discovered } from "../../../src/guard/keys/discovery.ts";
import { createGuard, staticKeys, type DiscoveryOptions, type Guard } from "../../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { audience } from "../fixture.ts";
import { recordEvents, fakeSnapshots, openKeyring, verifyOutcome } from "./fixture.ts";

const hour = 3_600_000;
const issuer = "https://id.example/tenant";
const openid = "https://id.example/tenant/.well-known/openid-configuration";
const oauth = "https://id.example/.well-known/oauth-authorization-server/tenant";
const keys = "https://keys.example/set";

type Answer = (signal: AbortSignal | null | undefined) => Response | Promise<Response>;

interface Setup {
  readonly clock: FakeClock;
  readonly mint: Mint;
  /** The answers by URL. Other URLs answer 404. */
  readonly web: Map<string, Answer>;
  readonly asked: string[];
  readonly makeKeyring: (options?: DiscoveryOptions, more?: object) => ReturnType<typeof openKeyring>;
}

const says =
  (value: unknown): Answer =>
  () =>
    Response.json(value);
const down: Answer = async () => await Promise.reject(new TypeError("fetch failed"));
const hangs: Answer = async () => await new Promise<never>(() => {});

async function setUp(named: string = issuer): Promise<Setup> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer: named, audience, clock });
  const web = new Map<string, Answer>([[keys, says(mint.jwks())]]);
  const asked: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    asked.push(url);
    assert.equal(init.redirect, "manual");
    return (await web.get(url)?.(init.signal)) ?? new Response(null, { status: 404 });
  };
  return {
    clock,
    mint,
    web,
    asked,
    makeKeyring: (options = {}, more = {}) =>
      openKeyring(discovered({ fetch, ...options }), { issuer: named, clock, ...more }),
  };
}

test("the key set is found through the issuer's OpenID metadata, which is fetched once", async () => {
  const { clock, mint, web, asked, makeKeyring } = await setUp();
  web.set(openid, says({ issuer, jwks_uri: keys }));
  const one = makeKeyring();
  assert.equal(await verifyOutcome(one, mint.token()), "verified");
  assert.deepEqual(asked, [openid, keys]);
  assert.equal(one.status().kind, "discovered");
  await clock.advance(2 * hour);
  assert.deepEqual(asked, [openid, keys, keys]);
});

test("the metadata of RFC 8414 is used when the OpenID metadata is missing or unusable", async () => {
  for (const answer of [
    says({ not: "it" }),
    () => new Response("<html>"),
    () => new Response(null, { status: 500 }),
  ]) {
    const { mint, web, asked, makeKeyring } = await setUp();
    web.set(openid, answer);
    web.set(oauth, says({ issuer, jwks_uri: keys }));
    assert.equal(await verifyOutcome(makeKeyring(), mint.token()), "verified");
    assert.deepEqual(asked, [openid, oauth, keys]);
  }
});

const places: [issuer: string, openid: string, oauth: string][] = [
  ["https://id.example", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"],
  ["https://id.example/", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"],
  [
    "https://id.example/a/b/",
    "/a/b/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server/a/b",
  ],
  [
    "http://127.0.0.1:8080/a",
    "/a/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server/a",
  ],
];

for (const [named, first, second] of places) {
  test(`the metadata of ${named} is fetched from the paths of both standards`, async () => {
    const { mint, web, asked, makeKeyring } = await setUp(named);
    const { origin } = new URL(named);
    web.set(origin + second, says({ issuer: named, jwks_uri: keys }));
    assert.equal(await verifyOutcome(makeKeyring(), mint.token()), "verified");
    assert.deepEqual(asked, [origin + first, origin + second, keys]);
  });
}

const unusable: [string, unknown][] = [
  ["of another issuer", { issuer: "https://id.example/Tenant", jwks_uri: keys }],
  ["whose issuer has an extra slash", { issuer: `${issuer}/`, jwks_uri: keys }],
  ["without an issuer", { jwks_uri: keys }],
  ["without a jwks_uri", { issuer }],
  ["with a jwks_uri over plain http", { issuer, jwks_uri: "http://keys.example/set" }],
  ["with a relative jwks_uri", { issuer, jwks_uri: "keys" }],
  ["with an array as jwks_uri", { issuer, jwks_uri: [keys] }],
  ["with a password in its jwks_uri", { issuer, jwks_uri: "https://a:b@keys.example/set" }],
  ["that is null", null],
  ["that is a string", "text"],
];

for (const [what, document] of unusable) {
  test(`law 1: metadata ${what} is rejected, and its tokens are unavailable, not invalid`, async () => {
    const { mint, web, asked, makeKeyring } = await setUp();
    web.set(openid, says(document));
    const one = makeKeyring();
    assert.equal(await verifyOutcome(one, mint.token()), "keys_unavailable");
    assert.deepEqual(asked, [openid, oauth]);
    assert.match(
      one.status().lastError ?? "",
      /openid-configuration .*oauth-authorization-server answered 404/,
    );
    assert.doesNotMatch(one.status().lastError ?? "", /a:b|keys\.example/);
  });
}

test("metadata redirects are not followed, and a body is read no further than maxBytes", async () => {
  const { mint, web, asked, makeKeyring } = await setUp();
  web.set(openid, () => new Response(null, { status: 302, headers: { location: "https://evil.example" } }));
  web.set(oauth, () => new Response(`{"issuer":"${"x".repeat(300_000)}"}`));
  const one = makeKeyring();
  assert.equal(await verifyOutcome(one, mint.token()), "keys_unavailable");
  assert.match(one.status().lastError ?? "", /answered 302.*longer than 262144/);
  assert.deepEqual(asked, [openid, oauth]);
});

test("fault 30: requests for missing metadata are as rare as requests for the key set", async () => {
  const { clock, mint, web, asked, makeKeyring } = await setUp();
  const one = makeKeyring({ coolDownMs: 30_000 });
  for (let i = 0; i < 100; i++) assert.equal(await verifyOutcome(one, mint.token()), "keys_unavailable");
  assert.equal(asked.length, 2);
  await clock.advance(10 * 60_000);
  assert.ok(asked.length > 40 && asked.length < 90, `${asked.length} requests`);
  web.set(openid, says({ issuer, jwks_uri: keys }));
  await clock.advance(30_000);
  assert.equal(await verifyOutcome(one, mint.token()), "verified");
});

test("fault 17: the metadata and the key set share one deadline", async () => {
  const { clock, mint, web, makeKeyring } = await setUp();
  web.set(openid, async () => {
    await new Promise<void>((go) => clock.after(4_000, go));
    return Response.json({ issuer, jwks_uri: keys });
  });
  web.set(keys, hangs);
  const found = verifyOutcome(makeKeyring({ timeoutMs: 5_000 }), mint.token());
  await clock.advance(4_999);
  const early = await Promise.race([found, Promise.resolve("waiting")]);
  await clock.advance(1);
  assert.deepEqual([early, await found], ["waiting", "keys_unavailable"]);
});

test("fault 26: the metadata is fetched again after a day, and the last jwks_uri stays in use while that fails", async (t) => {
  for (const outage of [down, hangs]) {
    const { clock, mint, web, asked, makeKeyring } = await setUp();
    const events = recordEvents(t);
    web.set(openid, says({ issuer, jwks_uri: keys }));
    const one = makeKeyring();
    await one.ready(AbortSignal.any([]));
    // A keyring that is not used stops fetching.
    const useFor = async (hours: number) => {
      for (let passed = 0; passed < hours; passed++) {
        assert.ok(one.status().usable);
        await clock.advance(hour);
      }
    };
    await useFor(23);
    assert.equal(asked.filter((url) => url === openid).length, 1);
    web.set(openid, outage);
    await useFor(25);
    assert.equal(await verifyOutcome(one, mint.token()), "verified");
    assert.ok((one.status().ageMs ?? Infinity) < 3 * hour);
    assert.ok(events.some(({ message }) => message.includes("the last known jwks_uri is used")));
  }
});

test("the metadata is fetched again when its jwks_uri stops working, and the moved key set is found", async () => {
  const { clock, mint, web, asked, makeKeyring } = await setUp();
  web.set(openid, says({ issuer, jwks_uri: keys }));
  const one = makeKeyring();
  await one.ready(AbortSignal.any([]));
  const moved = "https://keys.example/moved";
  const next = await createMint({ issuer, audience, clock });
  web.delete(keys);
  web.set(openid, says({ issuer, jwks_uri: moved }));
  web.set(moved, says(next.jwks()));
  await clock.advance(2 * hour);
  assert.equal(await verifyOutcome(one, mint.token()), "verified");
  await clock.advance(60_000);
  assert.equal(await verifyOutcome(one, next.token()), "verified");
  assert.deepEqual(asked, [openid, keys, keys, openid, moved]);
});

test("fault 37: a restart during an outage begins with the saved set and fetches from its URL", async () => {
  const { clock, mint, web, asked, makeKeyring } = await setUp();
  const snapshots = fakeSnapshots();
  web.set(openid, says({ issuer, jwks_uri: keys }));
  await makeKeyring({}, { snapshots }).ready(AbortSignal.any([]));
  web.set(openid, down);
  const restarted = makeKeyring({}, { snapshots });
  assert.equal(await verifyOutcome(restarted, mint.token()), "verified");
  asked.length = 0;
  await clock.advance(30_000);
  assert.deepEqual(asked, [openid, keys]);
  assert.equal(restarted.status().ageMs, 15_000);
  const [name = ""] = snapshots.saved.keys();
  snapshots.saved.set(name, { url: "http://keys.example/set", fetchedAt: clock.now(), jwks: mint.jwks() });
  assert.equal(await verifyOutcome(makeKeyring({}, { snapshots }), mint.token()), "keys_unavailable");
});

test("fault 28: distrust drops the discovered URL too", async () => {
  const { clock, mint, web, asked, makeKeyring } = await setUp();
  web.set(openid, says({ issuer, jwks_uri: keys }));
  const one = makeKeyring();
  await one.ready(AbortSignal.any([]));
  web.set(openid, down);
  one.distrust();
  await clock.advance(60_000);
  assert.equal(await verifyOutcome(one, mint.token()), "keys_unavailable");
  assert.equal(asked.filter((url) => url === keys).length, 1);
});

test("an issuer that hangs or fails does not delay the tokens of another issuer", async () => {
  const { clock, mint, web, makeKeyring } = await setUp();
  web.set(openid, says({ issuer, jwks_uri: keys }));
  const stuck = "https://stuck.example";
  web.set(`${stuck}/.well-known/openid-configuration`, hangs);
  const other = await createMint({ issuer: stuck, audience, clock });
  const [good, bad] = [makeKeyring(), makeKeyring({}, { issuer: stuck })];
  const waiting = verifyOutcome(bad, other.token());
  await clock.advance(0);
  for (let i = 0; i < 10; i++) assert.equal(await verifyOutcome(good, mint.token()), "verified");
  assert.equal(good.status().lastError, null);
  await clock.advance(5_000);
  assert.equal(await waiting, "keys_unavailable");
  bad.distrust();
  assert.equal(await verifyOutcome(good, mint.token()), "verified");
});

test("discovery accepts an https issuer, or http on this machine, without query and fragment", async () => {
  const open = (named: string) => openKeyring(discovered(), { issuer: named, clock: new FakeClock() });
  for (const bad of [
    "http://id.example",
    "id.example",
    "https://id.example/?a=b",
    "https://id.example/#a",
    "",
  ]) {
    assert.throws(() => open(bad), { code: "invalid_option", message: /^issuer must be/ }, bad);
  }
  assert.throws(() => discovered({ maxStaleMs: 0 }), {
    code: "invalid_option",
    message: /^discovered: maxStaleMs/,
  });
  assert.throws(() => discovered({ uri: "x" } as DiscoveryOptions), {
    code: "invalid_option",
    message: /"uri"/,
  });
});

test("the metadata may stand at another address, and must still name the issuer", async () => {
  const { mint, web, asked, makeKeyring } = await setUp();
  const url = "https://inside.example/policy/.well-known/openid-configuration";
  web.set(url, says({ issuer, jwks_uri: keys }));
  assert.equal(await verifyOutcome(makeKeyring({ url }), mint.token()), "verified");
  assert.deepEqual(asked, [url, keys]);
  web.set(url, says({ issuer: "https://inside.example", jwks_uri: keys }));
  const other = makeKeyring({ url });
  assert.equal(await verifyOutcome(other, mint.token()), "keys_unavailable");
  assert.match(other.status().lastError ?? "", /the metadata at discovered: url names another issuer/);
  assert.throws(() => discovered({ url: "http://inside.example" }), /discovered: url must be an https URL/);
  discovered({ url: "http://inside.example", allowHttp: ["inside.example"] });
});

test("law 1: before the first metadata, a token of another name on the host of an issuer gets 503, and one of a stranger 401", async (t) => {
  const { clock, mint, web } = await setUp();
  web.delete(keys);
  const fetch = async (url: string, { signal }: RequestInit) =>
    (await web.get(url)?.(signal)) ?? new Response(null, { status: 503 });
  const other = { issuer: "https://other.example", audience, keys: staticKeys(mint.jwks()) };
  const text = { issuer: "urn:a", audience, keys: discovered({ fetch, url: "https://inside.example" }) };
  const guard = createGuard({
    issuers: [{ issuer, audience, keys: discovered({ fetch }) }, other, text],
    clock,
    warnings: false,
    name: t.name,
  });
  t.after(async () => await guard.close());
  const said = async (iss: string) => {
    const verdict = await guard.validate(mint.token({ iss }));
    if (verdict.status === "valid") return "valid";
    return verdict.status === "invalid" ? verdict.reason : verdict.cause;
  };
  const names = [`${issuer}/`, `${issuer}:8443`, issuer.replace("https", "http"), `${issuer}/realms/a`];
  for (const name of names) assert.equal(await said(name), "keys_unavailable", name);
  for (const name of ["https://stranger.example", "https://id.example.stranger.example", "no URL", "urn:b"]) {
    assert.equal(await said(name), "wrong_issuer", name);
  }
  // The metadata names the configured issuer, so the other names are those of strangers.
  web.set(openid, says({ issuer, jwks_uri: keys }));
  await clock.advance(hour);
  assert.equal(await said(issuer), "keys_unavailable", "the key set is still missing");
  for (const name of names) assert.equal(await said(name), "wrong_issuer", name);
});

test("law 2: a token of the issuer that the metadata names instead gets 503 from a guard of two issuers, as from a guard of one", async (t) => {
  const { clock, web } = await setUp();
  const named = `${issuer}/`;
  const mint = await createMint({ issuer: named, audience, clock });
  web.set(keys, says(mint.jwks()));
  web.set(openid, says({ issuer: named, jwks_uri: keys }));
  const fetch = async (url: string, { signal }: RequestInit) =>
    (await web.get(url)?.(signal)) ?? new Response(null, { status: 404 });
  const one = { issuer, audience, keys: discovered({ fetch }) };
  const other = { issuer: "https://other.example", audience, keys: staticKeys(mint.jwks()) };
  for (const issuers of [[one], [one, other]]) {
    const guard = createGuard({ issuers, clock, warnings: false, name: `issuers ${issuers.length}` });
    t.after(async () => await guard.close());
    await clock.advance(1);
    assert.deepEqual(await outcomes(guard), [
      "keys_unavailable",
      issuers.length === 1 ? "keys_unavailable" : "wrong_issuer",
    ]);
    // The metadata names the configured issuer at last, so the other one is a stranger.
    web.set(openid, says({ issuer, jwks_uri: keys }));
    await clock.advance(hour);
    assert.deepEqual(await outcomes(guard), ["wrong_issuer", "wrong_issuer"]);
    web.set(openid, says({ issuer: named, jwks_uri: keys }));
  }
  async function outcomes(guard: Guard): Promise<string[]> {
    const tokens = [mint.token(), mint.token({ iss: "https://stranger.example" })];
    const verdicts = await Promise.all(tokens.map(async (token) => await guard.validate(token)));
    return verdicts.map((verdict) =>
      verdict.status === "valid" ? "valid" : verdict.status === "invalid" ? verdict.reason : verdict.cause,
    );
  }
});

test("law 6: before the first metadata, the iss of a token is parsed once for all issuers, and not at all when it is long", async (t) => {
  const { clock, mint } = await setUp();
  const fetch = async () => await Promise.resolve(new Response(null, { status: 503 }));
  const issuers = Array.from({ length: 20 }, (_, i) => ({
    issuer: `https://id${i}.example`,
    audience,
    keys: discovered({ fetch }),
  }));
  const guard = createGuard({ issuers, clock, warnings: false, name: t.name });
  t.after(async () => await guard.close());
  const parse = t.mock.method(URL, "parse");
  for (const [iss, times] of [
    ["https://stranger.example", 1],
    [`https://${"\u4e00\u4e01".repeat(300)}.example`, 0],
  ] as const) {
    const verdict = await guard.validate(mint.token({ iss }));
    assert.equal(verdict.status === "invalid" && verdict.reason, "wrong_issuer");
    assert.equal(parse.mock.calls.filter(({ arguments: [text] }) => text === iss).length, times);
  }
});
