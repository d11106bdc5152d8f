import { hash } from "node:crypto";
import { instant, type Instant } from "../core/clock.ts";
import { decisionEvents, type DecisionEvent } from "../core/events.ts";
import type { Decision, InvalidReason } from "../core/verdict.ts";
import type { VerificationKey } from "../jwt/jwk-set.ts";
import { parseToken, type HeaderMemo, type ParsedToken, type TokenHeader } from "../jwt/parse.ts";
import { prove } from "../jwt/prove.ts";
import { abandonable } from "../resilience/deadline.ts";
import type { SingleFlight } from "../resilience/single-flight.ts";
import { decide, type Court } from "./decide.ts";
import { invalid, proven, unavailable, type Finding } from "./finding.ts";
import type { Keyring } from "./keys/key-source.ts";
import type { Memory } from "./memory.ts";
import { describe, report } from "./report.ts";
import { checkRules } from "./rules.ts";
import type { GuardSettings } from "./settings.ts";
import type { Guard, Rules } from "./types.ts";

/** What the rungs stand on. */
export interface Ladder extends GuardSettings, Court {
  readonly keyring: Keyring;
  readonly headers: HeaderMemo;
  readonly memory: Memory;
  readonly flights: SingleFlight<string, Finding>;
  closed: boolean;
}

/**
 * From a token to a decision, rung by rung. What is joined and remembered are findings; `decide` has the last
 * word on every call. Rejects with the reason of the caller's own signal, and for rules that are none.
 */
export function climber<C>(ladder: Ladder): Guard<C>["authorize"] {
  return async (token, rules) => {
    if (rules !== undefined) {
      checkRules(rules);
      rules.signal?.throwIfAborted();
    }
    if (ladder.closed) return announce(ladder, unavailable("closed"), null);
    if (typeof token !== "string") return announce(ladder, invalid("malformed"), null);
    if (token.length > ladder.maxTokenBytes) return announce(ladder, invalid("too_large"), null);
    const digest = digestOf(token);
    const now = instant(ladder.clock);
    const remembered = recall(ladder, digest, now);
    if (remembered !== undefined) {
      return announce(ladder, decide<C>(ladder, remembered, "memory", now, rules), "memory");
    }
    const sought = find(ladder, token, digest);
    const found = sought instanceof Promise ? await abandonable(sought, rules?.signal) : sought;
    return announce(ladder, decideAfterWaiting<C>(ladder, found, rules), "origin");
  };
}

/** What was true before the wait need not be true any more. */
function decideAfterWaiting<C>(ladder: Ladder, found: Finding, rules: Rules | undefined): Decision<C> {
  if (ladder.closed) return unavailable("closed");
  if (found.status === "valid" && !ladder.keyring.holds(found.key)) return unavailable("key_pending");
  return decide(ladder, found, "origin", instant(ladder.clock), rules);
}

function announce<C>({ name }: Ladder, decision: Decision<C>, from: DecisionEvent["from"]): Decision<C> {
  if (decisionEvents.hasSubscribers) {
    const { status } = decision;
    const detail = status === "invalid" ? decision.reason : status === "unavailable" ? decision.cause : null;
    decisionEvents.publish({ guard: name, status, detail, from });
  }
  return decision;
}

/**
 * Of the whole token: hashing a part would let the rest be swapped. Unpaired surrogates are hashed alike, but never
 * like ASCII, and a proof refuses both.
 */
function digestOf(token: string): string {
  return hash("sha256", token, "binary");
}

function recall({ memory, keyring }: Ladder, digest: string, now: Instant): Finding | undefined {
  const valid = memory.valid(digest, now);
  if (valid === undefined) return memory.invalid(digest, now, keyring.version);
  return keyring.holds(valid.key) ? valid : undefined;
}

/** Joins the flight for this token; proves at once where the key is here; else starts a flight for the key. */
function find(ladder: Ladder, token: string, digest: string): Finding | Promise<Finding> {
  const flying = ladder.flights.flying(digest);
  if (flying !== undefined) return flying;
  const parsed = parseToken(token, ladder.headers);
  // Cheaper to find again than to keep: garbage takes no memory.
  if ("reason" in parsed) return invalid(parsed.reason);
  const { keyring } = ladder;
  if (!keyring.algorithms.includes(parsed.algorithm)) return invalid("wrong_algorithm");
  const tryKeys = (keys: readonly VerificationKey[]) => proof(ladder, token, digest, parsed, keys);
  const tried = keyring.find(parsed.kid, parsed.algorithm);
  return tryKeys(tried) ?? ladder.flights.run(digest, async () => await seek(ladder, parsed, tried, tryKeys));
}

/** `tried` are keys that did not sign it. */
async function seek(
  { keyring, name: guard, policy }: Ladder,
  header: TokenHeader,
  tried: readonly VerificationKey[],
  tryKeys: (keys: readonly VerificationKey[]) => Finding | undefined,
): Promise<Finding> {
  try {
    const lookup = await keyring.resolve(header, tried);
    return lookup.status === "found" ? (tryKeys(lookup.keys) ?? unavailable("key_pending")) : lookup;
  } catch (error) {
    report({ guard, issuer: policy.issuer }, "keys_failed", describe(error));
    return unavailable("keys_unavailable");
  }
}

/**
 * Proves, and remembers what that found. Without a `kid` any of the keys may have signed (RFC 7515 §6), and so may
 * one that is not here yet: `undefined`.
 */
function proof(
  { policy, keyring, memory, clock, toleranceMs }: Ladder,
  token: string,
  digest: string,
  parsed: ParsedToken,
  candidates: readonly VerificationKey[],
): Finding | undefined {
  let reason: InvalidReason = "bad_signature";
  for (const key of candidates) {
    const refused = prove(parsed, key, policy);
    if (refused === null) {
      const finding = proven(parsed, key);
      memory.keepValid(digest, finding, token.length, finding.expiresAt + toleranceMs - clock.now());
      return finding;
    }
    if (refused !== "bad_signature") reason = refused;
  }
  const mayBeAnother = candidates.length === 0 || (parsed.kid === undefined && keyring.grows);
  if (reason === "bad_signature" && mayBeAnother) return undefined;
  memory.keepInvalid(digest, reason, keyring.version);
  return invalid(reason);
}
