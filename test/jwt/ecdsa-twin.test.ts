import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, staticKeys } from "../../src/index.ts";
import type { Algorithm } from "../../src/jwt/algorithms.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { createMint, FakeClock } from "../../src/testing/index.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";

/** The order of each group (SEC 2 §2.4.2, §2.5.1 and §2.6.1). */
const orders: Partial<Record<Algorithm, bigint>> = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  ES512:
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
};

/** Replaces (r, s) with (r, n − s), which needs no key. */
function twinOf(token: string, order: bigint): string {
  const [header = "", payload = "", text = ""] = token.split(".");
  const signature = Buffer.from(text, "base64url");
  const half = signature.length / 2;
  const s = order - BigInt(`0x${signature.toString("hex", half)}`);
  signature.write(s.toString(16).padStart(half * 2, "0"), half, "hex");
  return `${header}.${payload}.${signature.toString("base64url")}`;
}

for (const [algorithm, order] of Object.entries(orders)) {
  test(`law 3: the ${algorithm} twin of a token has the token's claims, and is revoked with it`, async () => {
    const clock = new FakeClock();
    const mint = await createMint({ issuer, audience, clock, algorithm: algorithm as Algorithm });
    const { revocations } = memoryStore({ clock });
    const guard = createGuard({ issuer, audience, keys: staticKeys(mint.jwks()), clock, revocations });
    await guard.ready();
    const token = mint.token({ jti: "one" });
    const twin = twinOf(token, order);
    assert.notEqual(twin, token);
    assert.equal(twinOf(twin, order), token);
    const [verdict, same] = [await guard.validate(token), await guard.validate(twin)];
    assert.ok(verdict.status === "valid" && same.status === "valid");
    assert.deepEqual(same.claims, verdict.claims);

    await revocations.append({ kind: "token", id: "one", issuer, until: clock.now() + 3_600_000 });
    await clock.advance(1_000);
    for (const one of [token, twin]) {
      assert.deepEqual(await guard.validate(one), { status: "invalid", reason: "revoked" });
    }
    await guard.close();
  });
}
