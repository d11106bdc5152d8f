import assert from "node:assert/strict";
import { before, test } from "node:test";
import fc from "fast-check";
import { createGuard, sharedSecret, staticKeys, type Guard } from "../../src/index.ts";
import { supportedAlgorithms, type Algorithm } from "../../src/jwt/algorithms.ts";
import { checkTime, createClaimsPolicy } from "../../src/jwt/claims.ts";
import { parseToken } from "../../src/jwt/parse.ts";
import { verifyWithKey } from "../../src/jwt/verify.ts";
import { claimsAttacks } from "./attacks/claims.ts";
import { headerAttacks } from "./attacks/header.ts";
import { signatureAttacks } from "./attacks/signature.ts";
import { applyAttacks, audience, issuer, makeTarget, type Attack, type Target } from "./attacks/target.ts";
import { textAttacks } from "./attacks/text.ts";

const attacks = [...headerAttacks, ...claimsAttacks, ...signatureAttacks, ...textAttacks];
const policy = createClaimsPolicy({ issuer, audience });
const targets = new Map<Algorithm, { target: Target; guard: Guard }>();

before(async () => {
  for (const algorithm of supportedAlgorithms) {
    const target = await makeTarget(algorithm);
    const keys =
      target.secret === null
        ? staticKeys({ keys: [target.published] })
        : sharedSecret(target.secret, algorithm as "HS256");
    targets.set(algorithm, { target, guard: createGuard({ issuer, audience, keys }) });
  }
});

/** Verifies with the target's own key. `null` when the token is valid. */
function reasonOf(token: string, { verifying }: Target): string | null {
  const parsed = parseToken(token);
  if ("reason" in parsed) return parsed.reason;
  return verifyWithKey(parsed, verifying, policy) ?? checkTime(parsed.claims, Date.now(), 5_000);
}

test("every attack has a unique name that cites RFC 8725", () => {
  assert.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length);
  for (const { name } of attacks) assert.match(name, /^§[23]\.\d+ ./);
});

for (const algorithm of supportedAlgorithms) {
  test(`${algorithm}: the guard accepts the unchanged token and rejects each attack of RFC 8725 for the right reason`, async () => {
    const { target, guard } = targets.get(algorithm) as { target: Target; guard: Guard };
    const good = applyAttacks(target, []) as string;
    assert.equal(reasonOf(good, target), null);
    assert.equal((await guard.validate(good)).status, "valid");
    let made = 0;
    for (const attack of attacks) {
      const token = applyAttacks(target, [attack]);
      if (token === null) continue;
      made++;
      assert.ok((attack.reasons as readonly unknown[]).includes(reasonOf(token, target)), attack.name);
      assert.equal((await guard.validate(token)).status, "invalid", attack.name);
    }
    assert.ok(made > 200, `${made} attacks`);
    assert.equal((await guard.validate(good)).status, "valid", "the attacks do not affect the good token");
  });
}

test("law 6: the guard rejects combined attacks for every algorithm", async () => {
  const optional = (list: readonly Attack[]) => fc.option(fc.constantFrom(...list), { nil: undefined });
  const combination = fc
    .tuple(
      optional(signatureAttacks),
      optional(headerAttacks),
      optional(claimsAttacks),
      optional(textAttacks),
    )
    .map((parts) => parts.filter((part) => part !== undefined))
    .filter((parts) => parts.length > 1);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...supportedAlgorithms), combination, async (algorithm, parts) => {
      const { target, guard } = targets.get(algorithm) as { target: Target; guard: Guard };
      const token = applyAttacks(target, parts);
      fc.pre(token !== null);
      assert.notEqual(reasonOf(token, target), null);
      assert.equal((await guard.validate(token)).status, "invalid");
    }),
    { numRuns: 1500 },
  );
});
