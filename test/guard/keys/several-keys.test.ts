import assert from "node:assert/strict";
import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import { test } from "node:test";
import {
  createGuard,
  discovered,
  jwks,
  sharedSecret,
  staticKeys,
  tenants,
  type Guard,
  type KeySource,
} from "../../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { audience, issuer, onlyIssuer } from "../fixture.ts";
import { fakeSnapshots } from "./fixture.ts";

const clock = new FakeClock();
const makeMint = async (algorithm: "HS256" | "HS512" | "ES256") =>
  await createMint({ issuer, audience, clock, algorithm });

function secretOf({ secret }: Mint): Uint8Array {
  assert.ok(secret !== null);
  return secret;
}

function makeGuard(keys: readonly KeySource[], more: object = {}): Guard {
  return createGuard({ issuer, audience, keys, clock, random: () => 0.5, ...more });
}

async function outcome(guard: Guard, token: string): Promise<string> {
  const verdict = await guard.validate(token);
  if (verdict.status === "valid") return "valid";
  return verdict.status === "invalid" ? verdict.reason : verdict.cause;
}

test("during a change of the secret, tokens of the old and of the new one are valid", async () => {
  const [old, next, stranger] = [await makeMint("HS256"), await makeMint("HS512"), await makeMint("HS256")];
  const second = await makeMint("HS256");
  const g = makeGuard([
    sharedSecret(secretOf(old), "HS256"),
    sharedSecret(secretOf(second), "HS256"),
    sharedSecret(secretOf(next), "HS512"),
  ]);
  for (const mint of [old, second, next]) {
    assert.equal(await outcome(g, mint.token()), "valid");
    assert.equal(await outcome(g, mint.token({}, { kid: "any" })), "valid");
  }
  assert.equal(await outcome(g, stranger.token()), "bad_signature");
  const after = makeGuard([sharedSecret(secretOf(next), "HS512")]);
  assert.equal(await outcome(after, old.token()), "wrong_algorithm");
});

test("a secret with a kid verifies tokens of that kid and tokens without one", async () => {
  const [a, b] = [await makeMint("HS256"), await makeMint("HS256")];
  const g = makeGuard([
    sharedSecret(secretOf(a), "HS256", { kid: "a" }),
    sharedSecret(secretOf(b), "HS256", { kid: "b" }),
  ]);
  assert.equal(await outcome(g, a.token({}, { kid: "a" })), "valid");
  assert.equal(await outcome(g, b.token()), "valid");
  assert.equal(await outcome(g, b.token({}, { kid: "a" })), "bad_signature");
  assert.equal(await outcome(g, a.token({}, { kid: "c" })), "unknown_key");
  assert.deepEqual(onlyIssuer(g).keys.kids, ["a", "b"]);
});

test("a move from a secret to a key set accepts both, and no public key serves as a secret", async () => {
  const [old, next] = [await makeMint("HS256"), await makeMint("ES256")];
  const keys = [
    sharedSecret(secretOf(old), "HS256"),
    jwks("https://id.example/keys", { fetch: () => Response.json(next.jwks()) }),
  ];
  const g = makeGuard(keys);
  assert.equal(await outcome(g, old.token()), "valid");
  assert.equal(await outcome(g, next.token()), "valid");
  const [published] = next.jwks().keys;
  const key = createPublicKey({ key: published as JsonWebKey, format: "jwk" });
  const spki = key.export({ type: "spki", format: "der" });
  const pem = key.export({ type: "spki", format: "pem" });
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const [, payload] = next.token().split(".");
  for (const secret of [spki, pem, JSON.stringify(published), JSON.stringify(next.jwks())]) {
    const input = `${part({ alg: "HS256", kid: next.kid })}.${payload}`;
    const forged = `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    assert.equal(await outcome(g, forged), "bad_signature");
  }
  const onlyNew = makeGuard(keys, { algorithms: ["HS256", "ES256"] });
  assert.equal(await outcome(onlyNew, next.token()), "valid");
  await Promise.all([g.close(), onlyNew.close()]);
});

test("a source that is down does not touch the tokens of the others, and law 1 holds for its own", async () => {
  const [old, next] = [await makeMint("HS256"), await makeMint("ES256")];
  const [first] = [await makeMint("ES256")];
  let isDown = true;
  const fetch = () => (isDown ? new Response(null, { status: 500 }) : Response.json(next.jwks()));
  const g = makeGuard([
    sharedSecret(secretOf(old), "HS256"),
    staticKeys(first.jwks()),
    jwks("https://id.example/keys", { fetch }),
  ]);
  await g.ready();
  assert.equal(await outcome(g, old.token()), "valid");
  assert.equal(await outcome(g, first.token()), "valid");
  assert.equal(await outcome(g, next.token()), "keys_unavailable");
  // The same `kid` stands in two sources, and the set of one of them has not arrived.
  assert.equal(await outcome(g, next.token({}, { kid: first.kid })), "keys_unavailable");
  assert.deepEqual([g.status().state, onlyIssuer(g).keys.usable], ["degraded", true]);
  isDown = false;
  await clock.advance(60_000);
  assert.equal(await outcome(g, next.token()), "valid");
  assert.equal(g.status().state, "ready");
  await g.close();
});

test("law 1: while the metadata of one source is unread, the other source decides only about tokens of its own keys", async () => {
  const [own, next] = [await makeMint("ES256"), await makeMint("ES256")];
  let isDown = true;
  const metadata = { issuer, jwks_uri: "https://id.example/keys" };
  const fetch = (url: string) =>
    isDown
      ? new Response(null, { status: 503 })
      : Response.json(url === metadata.jwks_uri ? next.jwks() : metadata);
  const g = createGuard({
    issuers: [
      { issuer, audience, keys: [staticKeys(own.jwks()), discovered({ fetch })] },
      { issuer: "https://other.example", audience, keys: staticKeys(own.jwks()) },
    ],
    clock,
    warnings: false,
  });
  const named = async (mint: Mint) => await outcome(g, mint.token({ iss: `${issuer}/` }));
  assert.deepEqual([await named(own), await named(next)], ["wrong_issuer", "keys_unavailable"]);
  isDown = false;
  await clock.advance(3_600_000);
  assert.equal(await outcome(g, next.token()), "valid");
  assert.deepEqual([await named(own), await named(next)], ["wrong_issuer", "wrong_issuer"]);
  await g.close();
});

test("a new key of one source is found while another source does not answer", async () => {
  const [a, b] = [await makeMint("ES256"), await makeMint("ES256")];
  const g = makeGuard([
    jwks("https://a.example/keys", { fetch: async () => await new Promise<never>(() => {}) }),
    jwks("https://b.example/keys", { fetch: () => Response.json(b.jwks()) }),
  ]);
  assert.equal(await outcome(g, b.token()), "valid");
  const waiting = outcome(g, a.token());
  await clock.advance(5_000);
  assert.equal(await waiting, "keys_unavailable");
  await g.close();
});

test("each source keeps its set over a restart", async () => {
  const [a, b] = [await makeMint("ES256"), await makeMint("ES256")];
  const snapshots = fakeSnapshots();
  const sources = (fetch?: () => Response) => [
    jwks("https://a.example/keys", { fetch: fetch ?? (() => Response.json(a.jwks())) }),
    jwks("https://b.example/keys", { fetch: fetch ?? (() => Response.json(b.jwks())) }),
  ];
  const before = makeGuard(sources(), { snapshots });
  assert.equal(await outcome(before, a.token()), "valid");
  assert.equal(await outcome(before, b.token()), "valid");
  await before.close();
  assert.equal(snapshots.saved.size, 2);
  const after = makeGuard(
    sources(() => new Response(null, { status: 500 })),
    { snapshots },
  );
  assert.equal(await outcome(after, a.token()), "valid");
  assert.equal(await outcome(after, b.token()), "valid");
  await after.close();
});

test("keys that are declared compromised no longer count in any source", async () => {
  const [old, next] = [await makeMint("HS256"), await makeMint("ES256")];
  let fetched = 0;
  const g = makeGuard([
    sharedSecret(secretOf(old), "HS256"),
    jwks("https://id.example/keys", { fetch: () => (fetched++, Response.json(next.jwks())) }),
  ]);
  const token = next.token();
  assert.equal(await outcome(g, token), "valid");
  g.distrustKeys();
  assert.equal(await outcome(g, token), "valid");
  assert.equal(fetched, 2);
  await g.close();
});

test("tenants of any name share the key set in a list", async () => {
  const [old, next] = [await makeMint("HS256"), await makeMint("ES256")];
  let fetched = 0;
  const fetch = () => (fetched++, Response.json(next.jwks()));
  const pattern = tenants("https://id.example/{tid}", { tid: "any" });
  const keys = [sharedSecret(secretOf(old), "HS256"), jwks("https://id.example/keys", { fetch })];
  const g = createGuard({ issuer: pattern, audience, keys, clock });
  await g.ready();
  for (const iss of ["https://id.example/a", "https://id.example/b"]) {
    assert.equal(await outcome(g, next.token({ iss })), "valid");
    assert.equal(await outcome(g, old.token({ iss })), "valid");
  }
  assert.equal(fetched, 1);
  await g.close();
});

test("a wrong list of sources or algorithms is refused at creation", async () => {
  const secret = sharedSecret(new Uint8Array(32).fill(7), "HS256");
  const set = staticKeys((await makeMint("ES256")).jwks());
  const refuse = (keys: unknown, message: RegExp, more: object = {}) =>
    assert.throws(() => makeGuard(keys as KeySource[], more), { message });
  refuse([], /createGuard: keys must be a key source, or a list of 1 to 10 key sources; got an array/);
  refuse(Array(11).fill(secret), /keys must be a key source, or a list of 1 to 10/);
  refuse([secret, 7], /createGuard: keys\[1\] must be an object with open; got 7/);
  refuse([secret, set], /algorithms must be left out, or include one for each source/, {
    algorithms: ["HS256"],
  });
  refuse([secret, set], /algorithms must be left out or include HS256/, { algorithms: ["ES256"] });
  assert.throws(() => sharedSecret(new Uint8Array(32), "HS256", { kid: "" }), /sharedSecret: kid must be/);
});
