import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, staticKeys } from "../../src/index.ts";
import { parseToken } from "../../src/jwt/parse.ts";
import { createMint } from "../../src/testing/index.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const megabytes = (count: number) => "a".repeat(count << 20);

test("law 6: tokens of 8 MB are rejected for their length, even with a valid signature, and later tokens still pass", async () => {
  const mint = await createMint({ issuer, audience });
  const guard = createGuard({ issuer, audience, keys: staticKeys(mint.jwks()) });
  const good = mint.token();
  const tokens = [
    megabytes(8),
    `${good}${megabytes(8)}`,
    mint.token({ filler: megabytes(6) }),
    mint.token({}, { kid: megabytes(6) }),
    ".".repeat(8 << 20),
  ];
  for (const token of tokens) {
    assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "too_large" });
  }
  assert.equal((await guard.validate(good)).status, "valid");
  await guard.close();
});

test("without that limit the parser reads or rejects any 8 MB", async () => {
  const mint = await createMint({ issuer, audience });
  const read = parseToken(mint.token({ filler: megabytes(6) }));
  assert.ok("claims" in read);
  const half = megabytes(4);
  for (const token of [megabytes(8), ".".repeat(8 << 20), `${half}.${half}.${half}`, mint.sign(half, "{}")]) {
    assert.deepEqual(parseToken(token), { reason: "malformed" });
  }
});
