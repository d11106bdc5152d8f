/*
 * Measures how a hit becomes slower while more tokens are in the result cache: 1,000, then ten times as many, up to the
 * count of `--most`. The floor is the SHA-256 digest and a look-up in a Map of the same size. Tokens come in random order,
 * and each call gets a new string. A million tokens take about 3 GB and two minutes:
 *
 * node --max-old-space-size=8000 bench/growth.ts --most 1000000
 */
import { createSecretKey, hash, randomBytes } from "node:crypto";
import { createGuard, sharedSecret } from "../src/index.ts";
import { signCompact } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { measure, mostTokens, report, type Measurement } from "./measure.ts";

type Field = Buffer & { latin1Slice(start: number, end: number): string };

/** HS256, so that filling takes little time. A hit does not depend on the algorithm. */
const secret = randomBytes(32);
const key = createSecretKey(secret);
const header = JSON.stringify({ alg: "HS256", typ: "JWT" });
const more = { email: "someone@example.com", groups: ["b4a1c7a2-9c0e-4d4c-8f0c-6a1f0f8f6d11"], locale: "en" };
const mint = () => signCompact(header, JSON.stringify({ ...claims(), ...more }), "HS256", key);
const digestOf = (token: string) => hash("sha256", token, "binary");

const guard = createGuard({
  issuer,
  audience,
  keys: sharedSecret(secret, "HS256"),
  memory: { maxBytes: 4e9, ttlMs: 3_600_000 },
});
const digests = new Map<string, object>();
/** Tokens lie outside the heap, as the bytes of a socket do, in pieces of equal length. */
let tokens = Buffer.alloc(0) as unknown as Field;
let length = 0;

async function growTo(size: number): Promise<void> {
  const added: Buffer[] = [];
  for (let i = digests.size; i < size; i++) {
    const token = mint();
    length = token.length;
    added.push(Buffer.from(token, "latin1"));
    const { status } = await guard.validate(token);
    if (status !== "valid") throw new Error(`the token is ${status}`);
    digests.set(digestOf(token), { i });
  }
  tokens = Buffer.concat([tokens, ...added]) as unknown as Field;
}

const pick = () => {
  const start = Math.floor(Math.random() * digests.size) * length;
  return tokens.latin1Slice(start, start + length);
};

const results: Measurement[] = [];
for (let size = 1_000; size <= mostTokens; size *= 10) {
  await growTo(size);
  results.push(
    await measure(`a hit among ${size} tokens of ${length} bytes`, [
      {
        name: "crypto.hash + Map.get",
        run(iterations) {
          for (let i = 0; i < iterations; i++) {
            if (digests.get(digestOf(pick())) === undefined) throw new Error("missed");
          }
        },
      },
      {
        name: "await guard.validate()",
        async run(iterations) {
          for (let i = 0; i < iterations; i++) {
            const verdict = await guard.validate(pick());
            if (verdict.status !== "valid") throw new Error(verdict.status);
          }
        },
      },
    ]),
  );
}
await guard.close();
const ratioOf = (measured: Measurement | undefined) => measured?.rows[1]?.ratio ?? Number.NaN;
const growth = ratioOf(results.at(-1)) / ratioOf(results[0]);
console.log(`\nthe last ratio over the first: ${growth.toFixed(2)} ×  target ≤ 1.15 ×`);
report(results);
