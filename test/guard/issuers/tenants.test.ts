import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createGuard,
  discovered,
  introspection,
  jwks,
  staticKeys,
  tenants,
  type Guard,
  type GuardOptions,
} from "../../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { audience } from "../fixture.ts";

const entra = "https://login.example/{tid}/v2.0";
const nameOf = (tid: string) => `https://login.example/${tid}/v2.0`;

async function setUp(): Promise<{ clock: FakeClock; mint: Mint; guard: (options: GuardOptions) => Guard }> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer: nameOf("t1"), audience, clock });
  return { clock, mint, guard: (options) => createGuard({ ...options, clock, random: () => 0.5 }) };
}

async function outcome(guard: Guard, token: string): Promise<string> {
  const verdict = await guard.validate(token);
  if (verdict.status === "valid") return "valid";
  return verdict.status === "invalid" ? verdict.reason : verdict.cause;
}

test("a guard accepts the tokens of the listed tenants and of no other", async () => {
  const { mint, guard } = await setUp();
  const keys = staticKeys(mint.jwks());
  const g = guard({ issuer: tenants(entra, { tid: ["t1", "t2"] }), audience, keys });
  assert.equal(await outcome(g, mint.token()), "valid");
  assert.equal(await outcome(g, mint.token({ iss: nameOf("t2") })), "valid");
  assert.equal(await outcome(g, mint.token({ iss: nameOf("t3") })), "wrong_issuer");
  assert.equal(await outcome(g, mint.token({ iss: undefined })), "missing_claim");
  assert.deepEqual(
    g.status().issuers.map(({ issuer }) => issuer),
    [nameOf("t1"), nameOf("t2")],
  );
});

test("listed tenants of one key set fetch it once, and each has revocations of its own", async () => {
  const { mint, guard } = await setUp();
  let fetched = 0;
  const fetch = () => {
    fetched++;
    return Response.json(mint.jwks());
  };
  const tid = Array.from({ length: 20 }, (_, index) => `t${index}`);
  const keys = jwks("https://login.example/keys", { fetch });
  const g = guard({ issuer: tenants(entra, { tid }), audience, keys });
  await g.ready();
  assert.equal(await outcome(g, mint.token({ iss: nameOf("t7") })), "valid");
  assert.equal(fetched, 1);
  assert.equal(g.status().issuers.length, 20);
  await g.close();
});

test("with any value the guard accepts each tenant whose name has the form, under its exact name", async () => {
  const { mint, guard } = await setUp();
  const keys = staticKeys(mint.jwks());
  const g = guard({ issuer: tenants(entra, { tid: "any" }), audience, keys });
  assert.equal(await outcome(g, mint.token({ iss: nameOf("some-tenant") })), "valid");
  for (const iss of [
    nameOf(".."),
    nameOf("."),
    nameOf("a/b"),
    nameOf("a%2fb"),
    nameOf("a?b"),
    nameOf("a#b"),
    nameOf("a\nb"),
    nameOf(""),
    nameOf("x".repeat(600)),
    `${nameOf("t1")}/`,
    `x${nameOf("t1")}`,
    entra,
    "https://evil.example/t1/v2.0",
  ]) {
    assert.equal(await outcome(g, mint.token({ iss })), "wrong_issuer", iss.slice(0, 80));
  }
});

test("a key that names its issuer verifies no token of another tenant", async () => {
  const { mint, guard } = await setUp();
  const [published] = mint.jwks().keys;
  const consumers = await createMint({ issuer: nameOf("consumers"), audience, clock: new FakeClock() });
  const [bound] = consumers.jwks().keys;
  const set = {
    keys: [
      { ...published, issuer: entra.replace("tid", "tenantid") },
      { ...bound, issuer: nameOf("consumers") },
    ],
  };
  const keys = jwks("https://login.example/keys", { fetch: () => Response.json(set) });
  const g = guard({ issuer: tenants(entra, { tid: "any" }), audience, keys });
  await g.ready();
  assert.equal(await outcome(g, mint.token()), "valid");
  assert.equal(await outcome(g, consumers.token()), "valid");
  assert.equal(await outcome(g, consumers.token({ iss: nameOf("t1") })), "unknown_key");
  await g.close();
});

test("tenants of any name share one key set that the guard names by the pattern", async () => {
  const { mint, guard } = await setUp();
  let fetched = 0;
  const keys = jwks("https://login.example/keys", {
    fetch: () => (fetched++, Response.json(mint.jwks())),
  });
  const g = guard({ issuer: tenants(entra, { tid: "any" }), audience, keys });
  await g.ready();
  for (let index = 0; index < 400; index++) {
    assert.equal(await outcome(g, mint.token({ iss: nameOf(`t${index}`) })), "valid");
  }
  assert.equal(fetched, 1);
  const { issuers, foundIssuers, state } = g.status();
  assert.deepEqual([issuers.map(({ issuer }) => issuer), state], [[entra], "ready"]);
  assert.deepEqual(foundIssuers, { proven: 400, unproven: 0, lastError: null });
  g.distrustKeys(entra);
  assert.equal((await g.validate(mint.token())).status, "valid");
  assert.equal(fetched, 2);
  await g.close();
});

test("law 6: a made-up tenant ends no shared key set that stands beside discovered keys", async () => {
  const { clock, mint, guard } = await setUp();
  const shared = "https://login.example/keys";
  let fetched = 0;
  const fetch = (url: string) => {
    if (url !== shared) return new Response(null, { status: 404 });
    fetched++;
    return Response.json(mint.jwks());
  };
  const keys = [discovered({ fetch }), jwks(shared, { fetch })];
  const g = guard({ issuer: tenants(entra, { tid: "any" }), audience, keys, warnings: false });
  const forger = await createMint({ issuer: nameOf("made-up"), audience, clock });
  await g.validate(forger.token());
  assert.equal(await outcome(g, mint.token()), "valid");
  for (let hour = 0; hour < 26; hour++) await clock.advance(3_600_000);
  assert.equal(await outcome(g, mint.token({ jti: "next day" })), "valid");
  assert.equal(await outcome(g, mint.token({ iss: nameOf("t2") })), "valid");
  assert.ok(fetched > 1);
  assert.deepEqual(
    g.status().issuers.map(({ issuer }) => issuer),
    [entra],
  );
  await g.close();
});

test("a placeholder may stand for a label of the host", async () => {
  const { mint, guard } = await setUp();
  const keys = staticKeys(mint.jwks());
  const issuer = tenants("https://{org}.id.example/{realm}/x-{part}", {
    org: "any",
    realm: ["a", "b"],
    part: "any",
  });
  const g = guard({ issuer, audience, keys });
  assert.equal(await outcome(g, mint.token({ iss: "https://acme.id.example/b/x-1" })), "valid");
  for (const iss of [
    "https://acme.id.example/c/x-1",
    "https://evil.test#.id.example/a/x-1",
    "https://a.b.id.example/a/x-1",
    "https://.id.example/a/x-1",
    "https://u@x.id.example/a/x-1",
  ]) {
    assert.equal(await outcome(g, mint.token({ iss })), "wrong_issuer", iss);
  }
});

const wrongPatterns: [pattern: unknown, values: unknown, message: RegExp][] = [
  [7, {}, /tenants: pattern must be a non-empty string; got 7/],
  ["https://id.example/v2.0", {}, /tenants: pattern must be an http or https URL .* with a placeholder/],
  ["accounts.{x}", { x: "any" }, /tenants: pattern must be an http or https URL/],
  ["https://id.example/{x}?y", { x: "any" }, /tenants: pattern must be an http or https URL without query/],
  ["https://id.example/{x}/*", { x: "any" }, /tenants: pattern must be/],
  [
    "https://id.example/{x}{y}",
    { x: "any", y: "any" },
    /each placeholder has its own name and a text between/,
  ],
  ["https://id.example/{x}/{x}", { x: "any" }, /each placeholder has its own name/],
  ["https://{x}.com/", { x: "any" }, /placeholders for whole labels only, before at least two fixed labels/],
  ["https://{x}/", { x: "any" }, /placeholders for whole labels only/],
  ["https://a-{x}.id.example/", { x: "any" }, /placeholders for whole labels only/],
  ["https://id.example:{x}/", { x: "any" }, /placeholders for whole labels only/],
  [entra, {}, /tenants: tid must be "any" or a list of values .*got undefined/],
  [entra, { tid: [] }, /tenants: tid must be "any" or a list/],
  [entra, { tid: ["a/b"] }, /tenants: tid must be "any" or a list/],
  [entra, { tid: [".."] }, /tenants: tid must be "any" or a list/],
  [entra, { tid: "all" }, /tenants: tid must be "any" or a list/],
  [entra, { tid: "any", tdi: "any" }, /tenants has no option "tdi"; it has tid/],
  [entra, { tid: Array.from({ length: 1_001 }, (_, i) => `t${i}`) }, /at most 1000 issuers; got 1001/],
];

test("a wrong pattern or list of values is refused at creation", () => {
  for (const [pattern, values, message] of wrongPatterns) {
    assert.throws(() => tenants(pattern as string, values as never), { code: "invalid_option", message });
  }
});

test("fault 29: the authority confirms tokens of a new key for listed tenants until their shared keys can be fetched", async () => {
  const { clock, mint, guard } = await setUp();
  let isDown = false;
  const respond = () => (isDown ? new Response(null, { status: 503 }) : Response.json(mint.jwks()));
  const asked: string[] = [];
  const authority = introspection({
    url: "https://login.example/introspect",
    clientId: "api",
    clientSecret: "secret",
    fetch: (_, init) => {
      const token = new URLSearchParams(init.body as string).get("token") ?? "";
      const active = !token.startsWith("holdfast-probe-");
      if (active) asked.push(token);
      return Response.json({ active });
    },
  });
  const g = guard({
    issuer: tenants(entra, { tid: ["t1", "t2"] }),
    audience,
    keys: jwks("https://login.example/keys", { fetch: respond }),
    authority,
  });
  await g.ready();
  isDown = true;
  await clock.advance(60_000);
  asked.length = 0;
  const ofNewKey = (await createMint({ issuer: nameOf("t2"), audience, clock })).token();
  const verdict = await g.validate(ofNewKey);
  assert.ok(verdict.status === "valid" && verdict.basis === "authority", JSON.stringify(verdict));
  assert.deepEqual(asked, [ofNewKey]);
  await g.close();
});

test("a thousand listed tenants are accepted, and one more is refused", async () => {
  const { mint, guard } = await setUp();
  const keys = staticKeys(mint.jwks());
  const tid = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
  const g = guard({ issuer: tenants(entra, { tid }), audience, keys });
  assert.equal(await outcome(g, mint.token({ iss: nameOf("t999") })), "valid");
  await g.close();
  assert.throws(() => tenants(entra, { tid: [...tid, "t1000"] }), { code: "invalid_option" });
});

test("an authority or a revocation log is refused for tenants of any name, and issuerFor beside an issuer", async () => {
  const { mint, guard } = await setUp();
  const keys = staticKeys(mint.jwks());
  const issuer = tenants(entra, { tid: "any" });
  const authority = { kind: "introspection", opaque: null, open: () => ({}) } as never;
  assert.throws(() => guard({ issuer, audience, keys, authority }), {
    code: "invalid_option",
    message: /createGuard: authority must be absent for tenants with "any"; issuerFor can return it/,
  });
  assert.throws(() => guard({ issuer, audience, keys, issuerFor: () => null } as never), {
    code: "invalid_option",
    message: "createGuard takes issuer or issuerFor, not both",
  });
});

test("a tenant that cannot be opened makes its tokens unavailable, and says why", async () => {
  const { mint, guard } = await setUp();
  const g = guard({ issuer: tenants("http://keycloak:8080/realms/{realm}", { realm: "any" }), audience });
  const token = mint.token({ iss: "http://keycloak:8080/realms/shop" });
  assert.equal(await outcome(g, token), "issuer_unavailable");
  assert.match(g.status().foundIssuers?.lastError ?? "", /issuer must be an https URL/);
  await g.close();
  assert.equal(await outcome(g, token), "closed");
});
