import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createGuard,
  introspection,
  staticKeys,
  type AuthorityOptions,
  type Snapshots,
} from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { RevocationFeed } from "../../../src/stores/store.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";
import { audience, collectMessages, issuer } from "../fixture.ts";

const minute = 60_000;

/** A guard whose `issuerFor` returns the issuer with an authority, made anew for each answer. */
async function setUpAuthorities(options: () => Partial<AuthorityOptions>) {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const keys = staticKeys(mint.jwks());
  const sent: string[] = [];
  const retired = collectMessages("issuer_retired");
  const guard = createGuard({
    issuerFor: () => ({
      issuer,
      audience,
      keys,
      authority: introspection({
        url: `${issuer}/introspect`,
        clientId: "guard",
        fetch: (_url, { headers, body }) => {
          const isProbe = new URLSearchParams(body as string).get("token")?.startsWith("holdfast-probe-");
          if (isProbe === true) return Response.json({ active: false });
          const [, encoded = ""] = (headers as Record<string, string>)["authorization"]?.split(" ") ?? [];
          sent.push(Buffer.from(encoded, "base64").toString());
          return Response.json({ active: true });
        },
        ...options(),
      }),
    }),
    clock,
    random: () => 0.5,
  });
  let count = 0;
  const validate = async () => (await guard.validate(mint.token({ jti: `${count++}` }))).status;
  /** Lets the guard ask `issuerFor` again, and returns the credentials that the next token is asked about with. */
  const askAgain = async () => {
    await clock.advance(5 * minute);
    await validate();
    await clock.advance(0);
    sent.length = 0;
    assert.equal(await validate(), "valid");
    return sent;
  };
  return { guard, validate, askAgain, retired };
}

test("a new secret of an issuer's authority replaces the old one when issuerFor is asked again", async () => {
  let clientSecret = "old";
  const { guard, validate, askAgain, retired } = await setUpAuthorities(() => ({ clientSecret }));
  assert.equal(await validate(), "valid");
  assert.deepEqual(await askAgain(), ["guard:old"]);
  clientSecret = "new";
  assert.deepEqual(await askAgain(), ["guard:new"]);
  await guard.close();
  assert.equal(retired.stop().length, 1);
});

test("an authority is kept whose functions alone are new, and replaced when another option changes", async () => {
  let tenant: string | undefined;
  const { guard, validate, askAgain, retired } = await setUpAuthorities(() => ({
    clientSecret: () => "secret",
    ...(tenant !== undefined && { headers: { "x-tenant": tenant } }),
  }));
  assert.equal(await validate(), "valid");
  await askAgain();
  tenant = "one";
  await askAgain();
  await askAgain();
  await guard.close();
  assert.equal(retired.stop().length, 1);
});

test("law 3: no token finds an issuer before the revocations of an earlier run are loaded", async () => {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const keys = staticKeys(mint.jwks());
  const { revocations } = memoryStore({ clock });
  const saved = new Map<string, unknown>();
  let loadMs = 0;
  const snapshots: Snapshots = {
    load: async (name) => {
      if (loadMs > 0) await new Promise<void>((resolve) => clock.after(loadMs, resolve));
      return saved.get(name) ?? null;
    },
    save: async (name, value) => await Promise.resolve(void saved.set(name, value)),
  };
  const start = (feed: RevocationFeed) =>
    createGuard({
      issuerFor: () => ({ issuer, audience, keys, revocations: feed }),
      maxRevocationAgeMs: Infinity,
      snapshots,
      clock,
      random: () => 0.5,
    });
  const first = start(revocations);
  await revocations.append({ kind: "token", id: "j", issuer, until: clock.now() + 60 * minute });
  await first.validate(mint.token());
  await clock.advance(2_000);
  await first.close();
  const silent = async () => await new Promise<never>(() => {});
  const second = start({ snapshot: silent, after: silent, subscribe: () => () => {} });
  loadMs = 1_000;
  const opening = second.validate(mint.token());
  await clock.advance(10);
  const revoked = second.validate(mint.token({ jti: "j" }));
  await clock.advance(4_000);
  assert.equal((await opening).status, "valid");
  assert.equal((await revoked).status, "invalid");
  await second.close();
});

test("law 3: an issuer that issuerFor names again keeps what its authority refused before", async () => {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const keys = staticKeys(mint.jwks());
  let isCustomer = true;
  let isDown = false;
  const fetch = () => (isDown ? new Response(null, { status: 503 }) : Response.json({ active: false }));
  const authority = introspection({
    url: `${issuer}/introspect`,
    clientId: "guard",
    clientSecret: "s",
    fetch,
  });
  const guard = createGuard({
    issuerFor: () => (isCustomer ? { issuer, audience, keys, authority } : null),
    degraded: { mode: "local", maxMs: 60 * minute },
    clock,
    random: () => 0.5,
  });
  const refused = mint.token({ jti: "refused" });
  const outcome = async (token: string) => {
    const verdict = await guard.validate(token);
    return verdict.status === "invalid" ? verdict.reason : verdict.status;
  };
  assert.equal(await outcome(refused), "revoked");
  isCustomer = false;
  await clock.advance(5 * minute);
  await outcome(refused);
  await clock.advance(0);
  assert.equal(await outcome(mint.token({ jti: "two" })), "wrong_issuer");
  isCustomer = true;
  isDown = true;
  await clock.advance(minute);
  const other = outcome(mint.token({ jti: "three" }));
  await clock.advance(3_000);
  assert.equal(await other, "valid", "the guard decides without the authority");
  const again = outcome(refused);
  await clock.advance(3_000);
  assert.equal(await again, "revoked");
  await guard.close();
});
