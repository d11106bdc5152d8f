import assert from "node:assert/strict";
import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { hkdf32, HmacKey } from "../../src/core/hmac.ts";

const hashes = ["sha256", "sha384", "sha512"] as const;

test("the HMAC of text and of bytes is that of node:crypto, for keys and messages of any length", () => {
  const message = fc.oneof(fc.string({ unit: "binary", maxLength: 400 }), fc.constant("x".repeat(20_000)));
  const messages = fc.array(message, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      fc.constantFrom(...hashes),
      fc.uint8Array({ maxLength: 300 }),
      messages,
      (name, secret, all) => {
        const key = new HmacKey(name, secret);
        // The same key serves messages of different lengths in turn, so that no rest of an earlier one counts.
        for (const text of all) {
          const expected = createHmac(name, secret).update(text).digest();
          assert.deepEqual(key.digest(text), expected);
          assert.deepEqual(key.digestBytes(Buffer.from(text)), expected);
          const ascii = Buffer.from(text).toString("base64url");
          assert.deepEqual(key.digestAscii(ascii), createHmac(name, secret).update(ascii).digest());
        }
      },
    ),
  );
});

test("a key does not change when the bytes that it was made from do", () => {
  const secret = randomBytes(32);
  const key = new HmacKey("sha256", secret);
  const before = key.digest("text");
  secret.fill(0);
  assert.deepEqual(key.digest("text"), before);
});

test("fulfils test cases 2 and 6 of RFC 4231", () => {
  const short = new HmacKey("sha256", Buffer.from("Jefe")).digest("what do ya want for nothing?");
  assert.equal(short.toString("hex"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const long = new HmacKey("sha512", Buffer.alloc(131, 0xaa));
  const { length } = long.digest("");
  assert.equal(length, 64);
  const digest = long.digest("Test Using Larger Than Block-Size Key - Hash Key First");
  assert.match(digest.toString("hex"), /^80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352/);
});

test("the derived key of 32 bytes is that of HKDF-SHA-256", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }),
      fc.string(),
      (salt, secret, info) => {
        const expected = Buffer.from(hkdfSync("sha256", secret, salt, info, 32));
        assert.deepEqual(hkdf32(new HmacKey("sha256", salt), secret, info), expected);
      },
    ),
  );
});
