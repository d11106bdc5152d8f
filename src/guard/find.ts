import { instant } from "../core/clock.ts";
import { invalid, unavailable, type InvalidReason, type Unavailable } from "../core/verdict.ts";
import { checkClaims } from "../jwt/claims.ts";
import type { VerificationKey } from "../jwt/jwk-set.ts";
import { parseToken, type ParsedToken } from "../jwt/parse.ts";
import type { Proof } from "../jwt/proof-pool.ts";
import { decide } from "./decide.ts";
import { claimed, proven } from "./finding.ts";
import type { Finding } from "./finding.ts";
import type { Ladder } from "./context.ts";
import type { Realm } from "./realm.ts";
import { describe, report } from "./report.ts";

/**
 * Joins the flight for this token; proves at once where the key is here; else starts a flight for the key. An opaque
 * token proves nothing: its realm is all that is known.
 */
export function find(ladder: Ladder, token: string, digest: string): Finding | Realm | Promise<Finding> {
  const flying = ladder.flights.flying(digest);
  if (flying !== undefined) return flying;
  const parsed = parseToken(token, ladder.headers);
  // Cheaper to find again than to keep: garbage takes no memory.
  if ("reason" in parsed) {
    const { opaque } = ladder.realms;
    return opaque?.opaque?.test(token) === true ? opaque : invalid(parsed.reason);
  }
  const realm = ladder.realms.claimed(parsed.claims.iss);
  if (realm === undefined) return invalid(parsed.claims.iss === undefined ? "missing_claim" : "wrong_issuer");
  const { keyring } = realm;
  if (!keyring.algorithms.includes(parsed.algorithm)) return invalid("wrong_algorithm");
  const suspect = { realm, token, digest, parsed };
  const tried = keyring.find(parsed.kid, parsed.algorithm);
  const proof = tryKeys(ladder, suspect, tried);
  if (proof !== undefined && !(proof instanceof Promise)) return proof;
  return ladder.flights.run(digest, async () => (await proof) ?? (await seek(ladder, suspect, tried)));
}

/** A token on its way to a finding. */
interface Suspect {
  readonly realm: Realm;
  readonly token: string;
  readonly digest: string;
  readonly parsed: ParsedToken;
}

/** `tried` are keys that did not sign it. */
async function seek(ladder: Ladder, suspect: Suspect, tried: readonly VerificationKey[]): Promise<Finding> {
  const { keyring, source } = suspect.realm;
  try {
    const lookup = await keyring.resolve(suspect.parsed, tried);
    if (lookup.status === "unavailable") return unproven(ladder, suspect, lookup);
    if (lookup.status === "invalid") return lookup;
    return (await tryKeys(ladder, suspect, lookup.keys)) ?? unavailable("key_pending");
  } catch (error) {
    report(source, "keys_failed", describe(error));
    return unavailable("keys_unavailable");
  }
}

/**
 * What says of itself that it has expired is no good, whoever signed it. Of other claims who cannot sign learns
 * nothing. While no keys can be fetched, the authority is asked in place of one that is new.
 */
function unproven(ladder: Ladder, { realm, parsed }: Suspect, lookup: Unavailable): Finding {
  const finding = claimed(parsed, realm);
  const byItself = decide(ladder, finding, "origin", instant(ladder.clock), undefined);
  if (byItself.status === "invalid" && byItself.reason === "expired") return invalid("expired");
  const { authority, keyring, policy } = realm;
  const mayAsk =
    authority !== undefined && keyring.mayLack(parsed.kid) && checkClaims(parsed, policy) === null;
  return mayAsk ? finding : lookup;
}

type Tried = Finding | undefined;

/**
 * Proves with one of the keys, and remembers what that found. Without a `kid` any of them may have signed (RFC 7515
 * §6), and so may one that is not here yet: `undefined`.
 */
function tryKeys(
  ladder: Ladder,
  suspect: Suspect,
  candidates: readonly VerificationKey[],
  reason?: InvalidReason,
): Tried | Promise<Tried> {
  const { memory, realms, proofs } = ladder;
  const { realm, token, digest, parsed } = suspect;
  const [key, ...others] = candidates;
  if (key === undefined) {
    const mayBeAnother = parsed.kid === undefined && realm.keyring.grows;
    if (reason === undefined || (reason === "bad_signature" && mayBeAnother)) return undefined;
    memory.keepInvalid(digest, reason, realms.keysVersion);
    return invalid(reason);
  }
  const judge = (proof: Proof): Tried | Promise<Tried> => {
    if (proof === "overloaded") return unavailable(proof);
    // A signature that fits says more than one that does not.
    if (proof !== null)
      return tryKeys(ladder, suspect, others, proof === "bad_signature" ? (reason ?? proof) : proof);
    const finding = proven(parsed, key, realm);
    memory.keepValid(digest, finding, token.length);
    return finding;
  };
  const proof = proofs.prove(parsed, key, realm.policy);
  return proof instanceof Promise ? judgeLater(proof, judge) : judge(proof);
}

async function judgeLater(
  proof: Promise<Proof>,
  judge: (proof: Proof) => Tried | Promise<Tried>,
): Promise<Tried> {
  return await judge(await proof);
}
