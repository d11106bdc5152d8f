import assert from "node:assert/strict";
import { before, test } from "node:test";
import fc from "fast-check";
import { jwtVerify, type JWTVerifyOptions } from "jose";
import type { InvalidReason } from "../../src/core/verdict.ts";
import { supportedAlgorithms, type Algorithm } from "../../src/jwt/algorithms.ts";
import { checkTime, createClaimsPolicy } from "../../src/jwt/claims.ts";
import { parseToken } from "../../src/jwt/parse.ts";
import { verifyWithKey } from "../../src/jwt/verify.ts";
import { replaceIn } from "./attacks/bytes.ts";
import { claimsAttacks } from "./attacks/claims.ts";
import { headerAttacks } from "./attacks/header.ts";
import { signatureAttacks } from "./attacks/signature.ts";
import { applyAttacks, audience, issuer, makeTarget, type Attack, type Target } from "./attacks/target.ts";
import { textAttacks } from "./attacks/text.ts";

const attacks = [...headerAttacks, ...claimsAttacks, ...signatureAttacks, ...textAttacks];
const policy = createClaimsPolicy({ issuer, audience });
const targets = new Map<Algorithm, Target>();

before(async () => {
  for (const algorithm of supportedAlgorithms) targets.set(algorithm, await makeTarget(algorithm));
});

interface Difference {
  readonly reason: InvalidReason;
  readonly why: string;
  /** Whether the difference applies to the token. Each check avoids the parser under test. */
  readonly fits: (token: string) => boolean;
}

type Fields = Record<string, unknown>;

const bytesOf = (token: string, part: 0 | 1) => Buffer.from(token.split(".")[part] ?? "", "base64url");
const both = (token: string) => [bytesOf(token, 0), bytesOf(token, 1)];
/** Reads JSON as jose does, which skips a byte order mark. */
const read = (bytes: Buffer) => JSON.parse(new TextDecoder().decode(bytes)) as Fields;
const header = (token: string) => read(bytesOf(token, 0));
const claims = (token: string) => read(bytesOf(token, 1));

/** Removes the strings from JSON. */
const withoutStrings = (json: string) => json.replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
const colons = (json: string) => withoutStrings(json).split(":").length;

function depth(json: string): number {
  let [now, deepest] = [0, 0];
  for (const one of withoutStrings(json)) {
    if ("[{".includes(one)) deepest = Math.max(deepest, ++now);
    else if ("]}".includes(one)) now--;
  }
  return deepest;
}

/** Whether `fits` accepts any name or string in the value. */
function some(value: unknown, fits: (text: string, isName: boolean) => boolean): boolean {
  if (typeof value === "string") return fits(value, false);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, item]) => fits(name, true) || some(item, fits));
}

const isTextOrAbsent = (value: unknown) => value === undefined || typeof value === "string";
const isDateOrAbsent = (value: unknown) =>
  value === undefined || (typeof value === "number" && value >= 0 && value <= 8.64e12);
const areTexts = (value: unknown) =>
  isTextOrAbsent(value) || (Array.isArray(value) && value.every((one) => typeof one === "string"));

/** The tokens that Holdfast rejects and jose accepts. The tests fail when such a difference is not in this list. */
const differences: readonly Difference[] = [
  {
    reason: "malformed",
    why: "no issuer nests claims 33 deep, and code that walks through them would need the stack for it",
    fits: (token) => both(token).some((bytes) => depth(bytes.toString()) > 32),
  },
  {
    reason: "malformed",
    why: "a token has one encoding and therefore one digest; jose decodes every base64url",
    fits: (token) =>
      token.split(".").some((part) => Buffer.from(part, "base64url").toString("base64url") !== part),
  },
  {
    reason: "malformed",
    why: "two parsers may read different values of a duplicate member (RFC 7519 §4); jose takes the last",
    fits: (token) =>
      both(token).some(
        (bytes) => colons(new TextDecoder().decode(bytes)) > colons(JSON.stringify(read(bytes))),
      ),
  },
  {
    reason: "malformed",
    why: "a copy of the claims would set a prototype",
    fits: (token) =>
      both(token).some((bytes) => some(read(bytes), (text, isName) => isName && text === "__proto__")),
  },
  {
    reason: "malformed",
    why: "UTF-8 encodes all halves of surrogate pairs in the same way",
    fits: (token) => both(token).some((bytes) => some(read(bytes), (text) => !text.isWellFormed())),
  },
  {
    reason: "malformed",
    why: "JSON has no byte order mark (RFC 8259 §8.1)",
    fits: (token) => both(token).some((bytes) => bytes.subarray(0, 3).toString("hex") === "efbbbf"),
  },
  {
    reason: "malformed",
    why: "typ and kid are strings (RFC 7515 §4.1); jose checks them only when an option asks for it",
    fits: (token) => !isTextOrAbsent(header(token)["typ"]) || !isTextOrAbsent(header(token)["kid"]),
  },
  {
    reason: "unknown_critical",
    why: "b64 changes the signing input (RFC 7797) and must not be in a JWT (§7); jose ignores it where it is not critical",
    fits: (token) => Object.hasOwn(header(token), "b64"),
  },
  {
    reason: "wrong_type",
    why: "a token of another type is not an access token (RFC 8725 §3.11); jose accepts a single typ and then requires it",
    fits: (token) => !/^(application\/)?(at\+)?jwt$/i.test(header(token)["typ"] as string),
  },
  {
    reason: "missing_claim",
    why: "an empty sub names no subject",
    fits: (token) => claims(token)["sub"] === "",
  },
  {
    reason: "invalid_claim",
    why: "registered claims have their types (RFC 7519 §4.1); jose checks only those that it compares",
    fits: (token) => {
      const { sub, jti, sid, scope } = claims(token);
      return ![sub, jti, sid].every(isTextOrAbsent) || !areTexts(scope);
    },
  },
  {
    reason: "invalid_claim",
    why: "every aud is a string (RFC 7519 §4.1.3); jose only looks for one that matches",
    fits: (token) => !areTexts(claims(token)["aud"]),
  },
  {
    reason: "invalid_claim",
    why: "a date that a Date cannot represent is a mistake, and 1e308 is not an expiry",
    fits: (token) => {
      const { exp, nbf, iat } = claims(token);
      return ![exp, nbf, iat].every(isDateOrAbsent);
    },
  },
  {
    reason: "sender_constrained",
    why: "a bound token proves nothing without its key (RFC 7800); jose leaves that check to its caller",
    fits: (token) => Object.hasOwn(claims(token), "cnf"),
  },
];

async function isAcceptedByJose(token: string, target: Target): Promise<boolean> {
  const { algorithm, secret, published } = target;
  const options: JWTVerifyOptions = {
    issuer,
    audience,
    algorithms: [algorithm],
    requiredClaims: ["exp", "sub"],
    clockTolerance: 5,
  };
  const verified =
    secret === null ? jwtVerify(token, published as never, options) : jwtVerify(token, secret, options);
  return await verified.then(
    () => true,
    () => false,
  );
}

function reasonOf(token: string, { verifying }: Target): InvalidReason | null {
  const parsed = parseToken(token);
  if ("reason" in parsed) return parsed.reason;
  return verifyWithKey(parsed, verifying, policy) ?? checkTime(parsed.claims, Date.now(), 5_000);
}

type Outcome = "both accept" | "both refuse" | Difference;

/** Fails where jose is stricter, and where Holdfast is stricter without an entry in the list. */
async function compare(token: string, target: Target): Promise<Outcome> {
  const reason = reasonOf(token, target);
  if (!(await isAcceptedByJose(token, target))) {
    assert.notEqual(reason, null, `only jose rejects ${token}`);
    return "both refuse";
  }
  if (reason === null) return "both accept";
  const known = differences.find((one) => one.reason === reason && one.fits(token));
  assert.ok(known, `only Holdfast rejects, as ${reason}: ${token}`);
  return known;
}

test("every attack that jose rejects is rejected here, and each listed difference exists", async () => {
  const seen = new Set<Outcome>();
  for (const algorithm of ["ES256", "HS256"] as const) {
    const target = targets.get(algorithm) as Target;
    for (const attack of attacks) {
      const token = applyAttacks(target, [attack]);
      if (token !== null) seen.add(await compare(token, target));
    }
  }
  assert.deepEqual(
    differences.filter((one) => !seen.has(one)).map(({ why }) => why),
    [],
  );
});

test("every token that jose rejects is rejected here: odd headers, odd claims, attacks and damage in any mixture", async () => {
  const values = [
    undefined,
    null,
    0,
    -1,
    1e308,
    "",
    "x",
    [],
    ["x"],
    {},
    true,
    issuer,
    audience,
    "jwt",
    ["b64"],
  ];
  // Each oddity occurs in at most half of the runs, so that many tokens are good.
  const rarely = { freq: 2, nil: undefined };
  const members = (...names: string[]) =>
    fc.option(
      fc.dictionary(fc.constantFrom(...names), fc.constantFrom<unknown>(...values), { maxKeys: 2 }),
      rarely,
    );
  const attack = fc.option(fc.constantFrom(...attacks), { freq: 1, nil: undefined });
  const noise = fc.constantFrom("", "A", ".", "=", " ", "é", "_", "+");
  const damage = fc.option(fc.record({ at: fc.nat(1200), by: noise }), rarely);
  const outcomes: Outcome[] = [];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...supportedAlgorithms),
      members("typ", "kid", "alg", "crit", "b64", "jwk", "x5u", "cty"),
      members("iss", "aud", "exp", "nbf", "iat", "sub", "jti", "cnf", "x"),
      attack,
      damage,
      async (algorithm, oddHeader, oddClaims, one, d) => {
        const target = targets.get(algorithm) as Target;
        const oddities: Attack = {
          name: "oddities",
          part: "header",
          reasons: [],
          draft: (draft) => ({
            ...draft,
            header: replaceIn(draft.header, oddHeader ?? {}),
            payload: replaceIn(draft.payload, oddClaims ?? {}),
          }),
        };
        const made = applyAttacks(target, one === undefined ? [oddities] : [oddities, one]);
        fc.pre(made !== null);
        const token = d === undefined ? made : made.slice(0, d.at) + d.by + made.slice(d.at + 1);
        outcomes.push(await compare(token, target));
      },
    ),
    { numRuns: 1500 },
  );
  const count = (kind: Outcome) => outcomes.filter((outcome) => outcome === kind).length;
  assert.ok(count("both accept") > 30 && count("both refuse") > 100, `${count("both accept")} accepted`);
});
