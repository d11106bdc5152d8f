/*
 * What a verdict costs while the authority is not asked, its breaker open and the policy `local`: cold tokens against
 * the same guard without an authority, whose verdict is the proof alone; and the same tokens again, whose proof is
 * remembered. "Cold" tokens are as many as find no room in memory, so each is proved, remembered and forgotten in turn.
 * One caller at a time. Left out: the 80 ms that callers wait before the breaker opens.
 */
import { createGuard, introspection, staticKeys, type Guard } from "../src/index.ts";
import type { Algorithm } from "../src/jwt/algorithms.ts";
import { generateSigningKey, signToken } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { measure, report, type Contender, type Measurement } from "./measure.ts";

const TOKENS = 64;
/** Room for some 20 findings. */
const SMALL = 32_768;

/** Goes on where the last round stopped: a short round must not find its own tokens in memory. */
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
    { name: "proof alone", run: inTurn(guards[0], tokens) },
    { name: "degraded", target: 1.1, run: inTurn(guards[1], tokens) },
    { name: "degraded, proof remembered", run: inTurn(guards[2], tokens) },
  ];
  const measured = await measure(
    `a verdict without the authority, ${algorithm}, token of ${tokens[0]?.length ?? 0} bytes`,
    contenders,
  );
  for (const guard of guards) await guard.close();
  return measured;
}

report([await degraded("RS256"), await degraded("ES256"), await degraded("EdDSA")]);
