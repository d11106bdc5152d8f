import assert from "node:assert/strict";
import { constants, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { importPssKey, verifyPss } from "../../src/jwt/rsa-pss.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const input = Buffer.from("input");
const lengths = { sha256: 32, sha384: 48, sha512: 64 } as const;
const hashes = ["sha256", "sha384", "sha512"] as const;

test("a PSS key names its hash, its mask generation function and the length of its salt", () => {
  for (const hash of hashes) {
    const { key, pem } = importPssKey(publicKey, hash);
    assert.equal(pem, null);
    assert.equal(key.asymmetricKeyType, "rsa-pss");
    assert.deepEqual(key.asymmetricKeyDetails, {
      modulusLength: 2048,
      publicExponent: 65_537n,
      hashAlgorithm: hash,
      mgf1HashAlgorithm: hash,
      saltLength: lengths[hash],
    });
  }
});

test("a PSS key verifies signatures of its own hash, and no other", () => {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  for (const hash of hashes) {
    const signature = sign(hash, input, { key: privateKey, padding, saltLength: lengths[hash] });
    assert.equal(verify(hash, input, importPssKey(publicKey, hash).key, signature), true);
    for (const other of hashes.filter((one) => one !== hash)) {
      assert.throws(
        () => verify(hash, input, importPssKey(publicKey, other).key, signature),
        /digest not allowed/,
      );
    }
  }
});

test("a runtime without keys for PSS verifies with the padding, the hash and the length of the salt", () => {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const refuse = () => {
    throw new Error("no keys for PSS");
  };
  for (const hash of hashes) {
    const { key, pem } = importPssKey(publicKey, hash, refuse);
    assert.equal(key, publicKey);
    assert.ok(pem !== null);
    const signWith = (options: object) => sign(hash, input, { key: privateKey, ...options });
    const signature = signWith({ padding, saltLength: lengths[hash] });
    assert.equal(verifyPss(hash, input, pem, signature), true);
    assert.equal(verifyPss(hash, Buffer.from("other"), pem, signature), false);
    assert.equal(verifyPss(hash, input, pem, signWith({ padding, saltLength: 20 })), false);
    assert.equal(verifyPss(hash, input, pem, signWith({})), false);
    for (const other of hashes.filter((one) => one !== hash)) {
      assert.equal(verifyPss(other, input, pem, signature), false);
    }
  }
});
