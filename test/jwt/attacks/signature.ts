import { createHmac, createPublicKey, sign } from "node:crypto";
import { algorithmFacts } from "../../../src/jwt/algorithms.ts";
import { signBytes } from "../../../src/jwt/sign.ts";
import { replaceIn } from "./bytes.ts";
import type { Attack, Draft, Target } from "./target.ts";

type Forge = (draft: Draft, target: Target) => Draft | null;

function attack(name: string, forge: Forge, reasons: Attack["reasons"] = ["bad_signature"]): Attack {
  return { name, part: "signature", reasons, draft: forge };
}

/** Changes the signature of the issuer. */
const changed = (
  name: string,
  change: (signature: Buffer, target: Target) => Buffer | null,
  empty = false,
): Attack =>
  attack(
    name,
    (draft, target) =>
      change(Buffer.alloc(0), target) === null
        ? null
        : { ...draft, sign: (input) => change(draft.sign(input), target) as Buffer },
    empty ? ["malformed"] : ["bad_signature"],
  );

const ecdsaOnly = (signature: Buffer, { algorithm }: Target) =>
  algorithmFacts(algorithm).family === "ES" ? signature : null;

const damaged: Attack[] = [
  changed("§2.1 the signature stripped", () => Buffer.alloc(0), true),
  changed("§3.3 a signature of zeros", (signature) => Buffer.alloc(signature.length)),
  changed("§3.3 a signature of ones", (signature) => Buffer.alloc(signature.length, 0xff)),
  changed("§3.3 r = s = 1", (signature, target) => {
    const one = Buffer.alloc(signature.length);
    one[signature.length / 2 - 1] = 1;
    one[signature.length - 1] = 1;
    return ecdsaOnly(one, target);
  }),
  changed("§3.3 r and s exchanged", (signature, target) => {
    const half = signature.length / 2;
    return ecdsaOnly(Buffer.concat([signature.subarray(half), signature.subarray(0, half)]), target);
  }),
  changed("§3.3 one bit changed", (signature) =>
    Buffer.from(signature.map((byte, i) => (i === 3 ? byte ^ 16 : byte))),
  ),
  changed("§3.3 a byte less", (signature) => signature.subarray(0, -1)),
  changed("§3.3 a byte more", (signature) => Buffer.concat([signature, Buffer.of(0)])),
  changed("§3.3 a zero in front", (signature) => Buffer.concat([Buffer.of(0), signature])),
  changed("§3.3 the first half only", (signature) => signature.subarray(0, signature.length / 2)),
  changed("§3.3 twice", (signature) => Buffer.concat([signature, signature])),
  changed("§3.3 in base64url once more", (signature) => Buffer.from(signature.toString("base64url"))),
  attack("§3.3 ECDSA in DER", (draft, { algorithm, signing }) => {
    const { family, hash } = algorithmFacts(algorithm);
    return family === "ES" ? { ...draft, sign: (input) => sign(hash, Buffer.from(input), signing) } : null;
  }),
  attack("§2.7 the signature of another token", (draft) => ({ ...draft, sign: () => draft.sign("e30.e30") })),
  attack("§2.7 a signature of the payload alone", (draft) => ({
    ...draft,
    sign: (input) => draft.sign(input.slice(input.indexOf(".") + 1)),
  })),
  attack("§2.7 a signature of the decoded parts", (draft) => ({
    ...draft,
    sign: () => draft.sign(`${draft.header.toString("latin1")}.${draft.payload.toString("latin1")}`),
  })),
];

const url = "https://evil.example.com/keys.json";
const injected = (jwk: unknown): readonly Record<string, unknown>[] => [
  {},
  { jwk },
  { jku: url },
  { x5u: url },
  { x5c: ["MIIB"], x5t: "AAAA", "x5t#S256": "AAAA" },
  { jku: "file:///dev/null" },
  { jwk, jku: url, x5u: url, x5c: [] },
];

/** The attacker's own key, with each header member that could make a verifier use it (§2.9, §3.10). */
const own: Attack[] = injected("the key").map((members, i) =>
  attack(`§3.10 the attacker's key, with ${JSON.stringify(members)}`, (draft, { algorithm, attacker }) => ({
    ...draft,
    header: replaceIn(draft.header, injected(attacker.published ?? { kty: "oct", k: "AAAA" })[i] ?? {}),
    sign: (input) => signBytes(algorithm, attacker.signing, input),
  })),
);

const kids: Readonly<Record<string, string>> = {
  path: "../../../../dev/null",
  URL: url,
  SQL: "' UNION SELECT 'AAAA'; --",
  NUL: "key\0.pem",
  command: "| id; $(id)",
  newline: "a\r\nX-Admin: 1",
  member: "__proto__",
  method: "constructor",
  empty: "",
  "10 KB": "k".repeat(10_240),
};

/** `kid` as a path, a statement or a flood, signed with the empty secret that /dev/null would give. */
const kidInjections: Attack[] = Object.entries(kids).map(([name, kid]) =>
  attack(`§3.10 kid injection: ${name}`, (draft) => ({
    ...draft,
    header: replaceIn(draft.header, { kid }),
    sign: (input) => createHmac("sha256", "").update(input).digest(),
  })),
);

/** Published values that serve as a secret (RFC 8725 §2.1). */
const publicSecrets: Readonly<Record<string, (target: Target) => string | Buffer | null>> = {
  PEM: ({ signing, published }) =>
    published && createPublicKey(signing).export({ type: "spki", format: "pem" }).toString(),
  "PEM without the last newline": ({ signing, published }) =>
    published && createPublicKey(signing).export({ type: "spki", format: "pem" }).toString().trim(),
  DER: ({ signing, published }) =>
    published && createPublicKey(signing).export({ type: "spki", format: "der" }),
  JWK: ({ published }) => published && JSON.stringify(published),
  "its number": ({ published }) =>
    published && Buffer.from((published["n"] ?? published["x"] ?? published["pub"]) as string, "base64url"),
  kid: ({ published }) => published && published.kid,
  nothing: () => "",
  "a NUL": () => "\0",
  secret: () => "secret",
};

const hmac: Attack[] = Object.entries(publicSecrets).flatMap(([name, secret]) =>
  (["HS256", "HS512", null] as const).map((alg) =>
    attack(
      `§2.1 ${name} as an HMAC secret, alg ${alg ?? "as it was"}`,
      (draft, target) => {
        const value = secret(target);
        if (value === null) return null;
        const header = alg === null ? draft.header : replaceIn(draft.header, { alg });
        const hash = alg === "HS512" ? "sha512" : "sha256";
        return { ...draft, header, sign: (input) => createHmac(hash, value).update(input).digest() };
      },
      alg === null ? ["bad_signature"] : ["wrong_algorithm", "bad_signature"],
    ),
  ),
);

export const signatureAttacks: readonly Attack[] = [...damaged, ...own, ...kidInjections, ...hmac];
