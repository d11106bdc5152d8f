import assert from "node:assert/strict";
import { constants, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { toPssKey } from "../../src/jwt/rsa-pss.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const input = Buffer.from("input");
const lengths = { sha256: 32, sha384: 48, sha512: 64 } as const;
const hashes = ["sha256", "sha384", "sha512"] as const;

test("a PSS key names its hash, its mask generation function and the length of its salt", () => {
  for (const hash of hashes) {
    const key = toPssKey(publicKey, hash);
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
    assert.equal(verify(hash, input, toPssKey(publicKey, hash), signature), true);
    for (const other of hashes.filter((one) => one !== hash)) {
      assert.throws(() => verify(hash, input, toPssKey(publicKey, other), signature), /digest not allowed/);
    }
  }
});
