/*
 * Measures a verdict while the authority is not asked: its breaker is open and the degraded mode is `local`. The floor is
 * a guard without an authority, whose verdict is the verification alone. Another row takes the same tokens again, whose
 * verification is cached.
 *
 * Cold tokens are more than the cache has room for, so each one is verified, cached and evicted in turn. One caller at a
 * time. The 80 ms that callers wait before the breaker opens are not measured.
 */
import { createGuard, introspection, staticKeys, type Guard } from "../src/index.ts";
import type { Algorithm } from "../src/jwt/algorithms.ts";
import { generateSigningKey, signToken } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { measure, report, type Contender, type Measurement } from "./measure.ts";

const TOKENS = 64;
/** Bytes for about 20 validation results. */
const SMALL = 32_768;

/** Continues where the last round stopped, so that a short round does not find its own tokens in the cache. */
function inTurn(guard: Guard, tokens: readonly string[]): Contender["run"] {
  let next = 0;
  return async (iterations) => {
    for (let i = 0; i < iterations; i++) {
      const verdict = await guard.validate(tokens[next++ % TOKENS] as string);
      if (verdict.status !== "valid") throw new Error(`the token is ${verdict.status}`);
    }
  };
}

async function degraded(algorithm: Algorithm): Promise<Measurement> {
  const key = await generateSigningKey(algorithm);
  const tokens = Array.from({ length: TOKENS }, () => signToken(claims(), key));
  const keys = () => staticKeys({ keys: [key.publicJwk] });
  const alone = createGuard({ issuer, audience, keys: keys(), memory: { maxBytes: SMALL } });
  const withoutAnswer = (maxBytes: number) => {
    const authority = introspection({
      url: `${issuer}/introspect`,
      clientId: "bench",
      clientSecret: "never sent",
      fetch: async () => await Promise.reject(new TypeError("fetch failed")),
    });
    const memory = { maxBytes };
    const guard = createGuard({ issuer, audience, keys: keys(), authority, degraded: "local", memory });
    guard.forceBreaker("open");
    return guard;
  };
  const guards = [alone, withoutAnswer(SMALL), withoutAnswer(1 << 26)] as const;
  const contenders: Contender[] = [
    { name: "verification alone", run: inTurn(guards[0], tokens) },
    { name: "degraded", target: 1.1, run: inTurn(guards[1], tokens) },
    { name: "degraded, verification cached", run: inTurn(guards[2], tokens) },
  ];
  const measured = await measure(
    `a verdict without the authority, ${algorithm}, token of ${tokens[0]?.length ?? 0} bytes`,
    contenders,
  );
  for (const guard of guards) await guard.close();
  return measured;
}

report([await degraded("RS256"), await degraded("ES256"), await degraded("EdDSA")]);
