import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { systemEntropy } from "../../../src/core/entropy.ts";
import { open, seal } from "../../../src/core/aead.ts";
import { deriveSecrets, type SecretKeys } from "../../../src/issuer/secret-keys.ts";
import {
  createRefreshToken,
  createSessionId,
  openSuccessor,
  parseRefreshToken,
  digestRefreshToken,
  sealSuccessor,
  type RefreshToken,
} from "../../../src/issuer/sessions/refresh-token.ts";
import { OTHER_SECRET, SECRET } from "../fixture.ts";

const ours = deriveSecrets(SECRET);
const both = deriveSecrets(`${OTHER_SECRET},${SECRET}`);
const theirs = deriveSecrets(OTHER_SECRET);

const NOW = Date.UTC(2030, 0, 1);
const LIFETIME = { idleMs: 60_000, absoluteExpiresAt: NOW + 90_000 };

function create(keys: SecretKeys, session: string, generation: number): RefreshToken {
  return createRefreshToken(keys, { session, generation }, LIFETIME, NOW);
}

test("parses a refresh token that was created under any secret of the list", () => {
  const token = create(ours[0], createSessionId(), 4_294_967_295);
  const read = parseRefreshToken(ours, token.text);
  assert.deepEqual(read, token);
  assert.equal(digestRefreshToken(token), digestRefreshToken(parseRefreshToken(both, token.text) ?? token));
  assert.equal(parseRefreshToken(theirs, token.text), null);
});

test("law 6: rejects every other spelling and every changed character of a refresh token", () => {
  const { text } = create(ours[0], createSessionId(), 1);
  for (const other of [
    `${text} `,
    ` ${text}`,
    `${text}=`,
    text.toUpperCase(),
    text.slice(0, -1),
    "",
    "hfr_",
  ]) {
    assert.equal(parseRefreshToken(ours, other), null);
  }
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, char) => {
      fc.pre(text[at] !== char);
      assert.equal(parseRefreshToken(ours, text.slice(0, at) + char + text.slice(at + 1)), null);
    }),
  );
});

test("a refresh token carries when it was issued and when it expires, accurate to a second", () => {
  const at = { session: createSessionId(), generation: 1 };
  const { times } = createRefreshToken(ours[0], at, LIFETIME, NOW + 999);
  assert.deepEqual(times, { ...LIFETIME, issuedAt: NOW, expiresAt: NOW + 60_000 });
  const late = createRefreshToken(ours[0], at, { ...LIFETIME, idleMs: 500 }, NOW + 89_600);
  assert.deepEqual(late.times?.expiresAt, NOW + 90_000);
});

test("parses a refresh token of an older version, which carries no times", () => {
  const session = createSessionId();
  const body = Buffer.concat([Buffer.from(session, "hex"), Buffer.from([0, 0, 0, 7]), randomBytes(32)]);
  const mac = ours[0].tokenMac.digestBytes(body);
  const read = parseRefreshToken(ours, `hfr_${Buffer.concat([body, mac]).toString("base64url")}`);
  assert.ok(read);
  assert.deepEqual([read.session, read.generation, read.times], [session, 7, null]);
  const successor = create(ours[0], session, 8);
  assert.equal(openSuccessor(ours, read, sealSuccessor(read, successor))?.text, successor.text);
});

test("a sealed successor opens only with its predecessor", () => {
  const session = createSessionId();
  const [first, twin] = [create(ours[0], session, 1), create(ours[0], session, 1)];
  const successor = create(both[0], session, 2);
  const sealed = sealSuccessor(first, successor);
  assert.equal(openSuccessor(both, first, sealed)?.text, successor.text);
  assert.equal(openSuccessor(both, twin, sealed), null);
  assert.equal(openSuccessor(both, successor, sealed), null);
});

test("a sealed value opens only unchanged, with its key and its context", () => {
  const { sealing } = ours[0];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.string(), fc.nat(), (plain, context, at) => {
      const sealed = seal(systemEntropy, sealing, Buffer.from(plain), context);
      assert.deepEqual(open(sealing, sealed, context), Buffer.from(plain));
      assert.equal(open(sealing, sealed, `${context}x`), null);
      assert.equal(open(theirs[0].sealing, sealed, context), null);
      const bytes = Buffer.from(sealed, "base64url");
      const place = at % bytes.length;
      bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
      assert.equal(open(sealing, bytes.toString("base64url"), context), null);
      assert.equal(open(sealing, sealed.slice(0, at % sealed.length), context), null);
    }),
  );
});
