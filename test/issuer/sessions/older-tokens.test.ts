import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { deriveSecrets } from "../../../src/issuer/secret-keys.ts";
import { digestRefreshToken, parseRefreshToken } from "../../../src/issuer/sessions/refresh-token.ts";
import type { SessionStore } from "../../../src/stores/session-store.ts";
import type { Issuer } from "../../../src/issuer/types.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { BASIC, createFixture, logIn, SECRET, sendRequest } from "../fixture.ts";
import { wrapStore } from "../stores.ts";

const secrets = deriveSecrets(SECRET);

/** A refresh token as versions before this one made it: all 32 bytes of its secret are random. */
function createOlderToken(session: string, generation: number): string {
  const head = Buffer.alloc(20);
  head.write(session, "hex");
  head.writeUInt32BE(generation, 16);
  const body = Buffer.concat([head, randomBytes(32)]);
  return `hfr_${Buffer.concat([body, secrets[0].tokenMac.digestBytes(body)]).toString("base64url")}`;
}

function digestOf(text: string): string {
  const token = parseRefreshToken(secrets, text);
  assert.ok(token !== null && token.times === null);
  return digestRefreshToken(token);
}

/** An issuer whose logins have tokens of an older version. */
function createOlderFixture() {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const tokens = new Map<string, string>();
  const older = wrapStore(store, async (name, call, args) => {
    if (name !== "sessions.create") return await call();
    const [record, ...cap] = args as Parameters<SessionStore["create"]>;
    const token = createOlderToken(record.id, 1);
    tokens.set(record.id, token);
    const created = { ...record, currentDigest: digestOf(token) };
    return await store.sessions.create(created, ...cap);
  });
  const { issuer } = createFixture({ store: older, clock });
  const logInBefore = async () => {
    const { session_id: session } = await logIn(issuer);
    return { session, token: tokens.get(session) ?? "" };
  };
  return { issuer, clock, logInBefore };
}

test("law 8: a refresh token of an older version gets one successor, which carries times", async () => {
  const { issuer, logInBefore } = createOlderFixture();
  const { token } = await logInBefore();
  const [first, again] = [await issuer.refresh(token), await issuer.refresh(token)];
  assert.ok(first.status === "ok" && again.status === "ok");
  assert.equal(again.tokens.refresh_token, first.tokens.refresh_token);
  assert.ok(parseRefreshToken(secrets, first.tokens.refresh_token)?.times);
  assert.equal((await issuer.refresh(first.tokens.refresh_token)).status, "ok");
});

/** Returns whether introspection calls the token active. `null` when the answer is a 503. */
async function introspect(issuer: Issuer, token: string): Promise<unknown> {
  const form = { Authorization: BASIC, "Content-Type": "application/x-www-form-urlencoded" };
  const body = String(new URLSearchParams({ token }));
  const response = await sendRequest(issuer, "POST", "/oauth/introspect", body, form);
  return response.status === 503 ? null : ((await response.json()) as { active: boolean }).active;
}

test("law 8, fault 64: a refresh token of an older version that is ahead of the store resumes its session", async () => {
  const { issuer, logInBefore } = createOlderFixture();
  const { session } = await logInBefore();
  const ahead = createOlderToken(session, 3);
  assert.equal(await introspect(issuer, ahead), true);
  assert.equal((await issuer.refresh(ahead)).status, "ok");
});

test("fault 64: a refresh token of an older version does not prove that the store has lost its session", async () => {
  const { issuer } = createOlderFixture();
  const token = createOlderToken("ab".repeat(16), 2);
  assert.equal(await introspect(issuer, token), false);
  assert.equal((await issuer.refresh(token)).status, "invalid_grant");
});
