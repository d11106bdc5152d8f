import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePasswordHash } from "../../../src/issuer/users/password-hash.ts";
import { HASHED_PASSWORD, passwordHashes } from "./password-hashes.ts";

async function matches(hash: string, password: string): Promise<boolean> {
  const parsed = parsePasswordHash(hash);
  assert.equal(parsed.status, "known", hash);
  return parsed.status === "known" && (await parsed.verify(Buffer.from(password)));
}

for (const [from, hash] of passwordHashes) {
  test(`verifies a hash of ${from}`, async () => {
    assert.equal(await matches(hash, HASHED_PASSWORD), true);
    assert.equal(await matches(hash, `${HASHED_PASSWORD}!`), false);
    assert.equal(await matches(hash, ""), false);
  });
}

test("verifies the example of bcrypt-sha256 in the documentation of passlib", async () => {
  const hash = "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2";
  assert.equal(await matches(hash, "password"), true);
});

test("law 6: a hash whose verification would cost too much is refused, and a large one that does not is read", () => {
  const salt = "c2FsdHNhbHRzYWx0MTIzNA";
  const key = "pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP";
  const bcrypt = "yEIt3Eh.pPphr2tWjELAbunxLsuRDcfh8ctRngRxfeO0gDMnV9r6W";
  const hashes: [hash: string, status: string][] = [
    [`$2b$14$${bcrypt}`, "known"],
    [`$2b$15$${bcrypt}`, "costly"],
    [`$2b$31$${bcrypt}`, "costly"],
    [`$argon2id$v=19$m=262144,t=4,p=4$${salt}$${key}`, "known"],
    [`$argon2id$v=19$m=262145,t=1,p=4$${salt}$${key}`, "costly"],
    [`$argon2id$v=19$m=65536,t=17,p=4$${salt}$${key}`, "costly"],
    [`$argon2id$v=19$m=9999999,t=9999,p=999$${salt}$${key}`, "costly"],
    [`$argon2id$v=19$m=65536,t=1,p=17$${salt}$${key}`, "costly"],
    [`$scrypt$ln=17,r=8,p=2$${salt}$${key}`, "known"],
    [`$scrypt$ln=17,r=8,p=3$${salt}$${key}`, "costly"],
    [`$scrypt$ln=19,r=8,p=1$${salt}$${key}`, "costly"],
    [`$scrypt$ln=31,r=9999,p=9999$${salt}$${key}`, "costly"],
    [`$pbkdf2-sha256$i=2000000$${salt}$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP`, "known"],
    [`$pbkdf2-sha256$i=2000001$${salt}$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP`, "costly"],
    [`pbkdf2_sha1$1000001$salt$${"A".repeat(32)}`, "costly"],
  ];
  for (const [hash, status] of hashes) assert.equal(parsePasswordHash(hash).status, status, hash);
});

test("does not take a truncated, altered or foreign hash for a known one", () => {
  const foreign = [
    "",
    "plain text",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3",
    "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
    "$6$rounds=5000$saltsalt$abc",
    "$2x$04$yEIt3Eh.pPphr2tWjELAbunxLsuRDcfh8ctRngRxfeO0gDMnV9r6W",
    "$2b$03$yEIt3Eh.pPphr2tWjELAbunxLsuRDcfh8ctRngRxfeO0gDMnV9r6W",
    "$argon2id$v=18$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP",
    "$argon2id$v=19$m=256,t=0,p=1$c2FsdHNhbHRzYWx0MTIzNA$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP",
    "$argon2id$v=19$m=256,t=1,p=1,keyid=AAAA$c2FsdHNhbHRzYWx0MTIzNA$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP",
    "$scrypt$ln=0,r=8,p=1$c2FsdHNhbHRzYWx0MTIzNA$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP",
    "scrypt$1000$saltsaltsalt$8$2$cBRpt6iO0qwsIv7igbkyLQ==",
    "$pbkdf2-sha512$i=1000,l=32$c2FsdHNhbHRzYWx0MTIzNA$7d4pDmPL8Ey9CdJ4ZiZb9iRWhuKFxgoWi0coWYCKy0i8U1gCT60uoAq6q6tz2DMB",
    "$pbkdf2-sha256$i=0$c2FsdHNhbHRzYWx0MTIzNA$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP",
    "pbkdf2:md5:1000$salt$fa3247c74b84259df025ca886850c347",
    "pbkdf2:sha256:1000$salt$fa",
  ];
  for (const hash of foreign) assert.equal(parsePasswordHash(hash).status, "unknown", hash);
  for (const [from, hash] of passwordHashes) {
    for (const altered of [
      hash.slice(0, 20),
      ` ${hash}`,
      `${hash} `,
      `${hash}$`,
      `${hash}\n`,
      `${hash}${"A".repeat(600)}`,
    ]) {
      assert.equal(parsePasswordHash(altered).status, "unknown", `${from}: ${JSON.stringify(altered)}`);
    }
  }
});
