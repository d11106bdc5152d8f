/*
 * Measures a call for a token that is in the result cache, with every check on: time, policy, and revocations with
 * entries in force. The floor is the SHA-256 digest and a Map look-up, synchronous. Tokens have 950 bytes; 1,000 hot ones in
 * turn, and 50,000 in random order. Each call gets a new string, as a server gets it from a socket. fast-jwt answers from
 * its own cache and checks only time, with its default cache key and with the fastest one that is safe.
 *
 * The last row is heap: what a cached token takes, over its claims as JSON. Cold verifications (see cold.ts) and
 * concurrent callers are not measured.
 */
import { createPublicKey, hash, randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createVerifier } from "fast-jwt";
import { chainDigest, type Revocation, type RevocationEntry } from "../src/core/revocation.ts";
import { createGuard, staticKeys, type Guard, type RevocationFeed } from "../src/index.ts";
import { generateSigningKey, signToken } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { measure, report, type Contender } from "./measure.ts";

const key = await generateSigningKey("ES256");
const pem = createPublicKey(key.key).export({ format: "pem", type: "spki" }).toString();

/** Adds claims, because an ES256 signature is shorter than an RS256 one. */
function longerClaims(): Record<string, unknown> {
  return {
    ...claims(),
    email: "someone@example.com",
    groups: ["b4a1c7a2-9c0e-4d4c-8f0c-6a1f0f8f6d11", "2f5a8f0e-54c1-4f4e-9e0b-0d9c8b7a6f55"],
    tenant: "0c2f3f0a-1d5e-4c57-9d50-5b6a",
    locale: "en",
  };
}

const digestOf = (token: string): string => hash("sha256", token, "binary");

function mint(): string {
  return signToken(longerClaims(), key);
}

function mintMany(count: number): string[] {
  return Array.from({ length: count }, mint);
}

/** A log with revocations of other tokens in force, so that each kind is looked up. */
function feed(): RevocationFeed {
  const until = Date.now() + 3_600_000;
  const kinds = ["token", "session", "key"] as const;
  const revoked: Revocation[] = kinds.map((kind) => ({ kind, issuer, id: randomUUID(), until }));
  revoked.push({ kind: "subject", issuer, id: randomUUID(), before: 1, until });
  const entries: RevocationEntry[] = [];
  for (const [index, revocation] of revoked.entries()) {
    const seq = index + 1;
    const chain = chainDigest(entries.at(-1)?.chain ?? "", seq, 0, revocation);
    entries.push({ seq, chain, at: 0, revocation });
  }
  const { seq, chain } = entries.at(-1) ?? { seq: 0, chain: "" };
  return {
    snapshot: async () => await Promise.resolve({ position: { epoch: "bench", seq, chain }, entries }),
    after: async () => await Promise.resolve({ status: "ok", entries: [] }),
    subscribe: () => () => {},
  };
}

async function openGuard(maxBytes: number): Promise<Guard> {
  const keys = staticKeys({ keys: [key.publicJwk] });
  const guard = createGuard({ issuer, audience, keys, revocations: feed(), memory: { maxBytes } });
  await guard.ready();
  return guard;
}

async function fill(guard: Guard, tokens: readonly string[]): Promise<void> {
  for (const token of tokens) {
    const { status } = await guard.validate(token);
    if (status !== "valid") throw new Error(`the token is ${status}`);
  }
}

/** A token in the `Authorization` field of a request. V8 remembers the hash of a string, so no string serves twice. */
type Field = Buffer & { latin1Slice(start: number, end: number): string };
const SCHEME = "Bearer ";

const fastest = "fast-jwt, cached, fastest key";

/** fast-jwt with a filled cache. */
function fastJwt(tokens: readonly string[], cacheKeyBuilder?: (token: string) => string) {
  const verify = createVerifier({
    key: pem,
    cache: tokens.length,
    allowedIss: issuer,
    allowedAud: audience,
    algorithms: ["ES256"],
    ...(cacheKeyBuilder !== undefined && { cacheKeyBuilder }),
  }) as (token: string) => unknown;
  for (const token of tokens) verify(token);
  return verify;
}

async function hits(question: string, tokens: readonly string[], target: number): ReturnType<typeof measure> {
  const guard = await openGuard(1 << 28);
  await fill(guard, tokens);
  const fields = tokens.map((token) => Buffer.from(SCHEME + token, "latin1") as Field);
  // A contender goes on where its last round ended, because a round is shorter than the list.
  const createNext = () => {
    let turn = 0;
    return () => {
      const field = fields[turn++ % fields.length] as Field;
      return field.latin1Slice(SCHEME.length, field.length);
    };
  };
  const digests = new Map(tokens.map((token): [string, object] => [digestOf(token), { token }]));
  const inTurn =
    (work: (token: string) => unknown, next = createNext()) =>
    (iterations: number) => {
      for (let i = 0; i < iterations; i++) if (work(next()) === undefined) throw new Error("missed");
    };
  const next = createNext();
  const contenders: Contender[] = [
    { name: "crypto.hash + Map.get", run: inTurn((token) => digests.get(digestOf(token))) },
    {
      name: "await guard.validate()",
      target,
      against: { name: fastest, target: 0.85 },
      async run(iterations) {
        for (let i = 0; i < iterations; i++) {
          const verdict = await guard.validate(next());
          if (verdict.status !== "valid") throw new Error(verdict.status);
        }
      },
    },
    { name: fastest, run: inTurn(fastJwt(tokens, digestOf)) },
    { name: "fast-jwt, cached", run: inTurn(fastJwt(tokens)) },
  ];
  const measured = await measure(question, contenders);
  await guard.close();
  return measured;
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapUsed(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Prints the bytes of heap that one more cached token takes, over its claims as JSON. */
async function memory(count: number): Promise<void> {
  const guard = await openGuard(1 << 28);
  await fill(guard, mintMany(100));
  const before = heapUsed();
  for (let i = 0; i < count; i++) await guard.validate(mint());
  const each = (heapUsed() - before) / count;
  const json = JSON.stringify(longerClaims()).length;
  const counted = guard.status().memory.valid.bytes / guard.status().memory.valid.size;
  await guard.close();
  console.log(`\nHeap of a cached token, claims of ${json} bytes as JSON`);
  console.log(
    `  heap ${each.toFixed(0)} bytes, ${(each / json).toFixed(2)} ×  target ≤ 3 ×${each / json > 3 ? "  MISSED" : ""}; counted as ${counted.toFixed(0)}`,
  );
}

const tokens = mintMany(50_000);
const shuffled = tokens.toSorted(() => Math.random() - 0.5);
console.log(`tokens of ${tokens[0]?.length} bytes`);
const measurements = [
  await hits("A hit, 1,000 hot tokens", tokens.slice(0, 1_000), 1),
  await hits("A hit, 50,000 tokens in random order", shuffled, 1.1),
];
await memory(20_000);
report(measurements);
