import { type Entropy } from "../../core/entropy.ts";
import type { RevocationAgeBounds } from "../../gateway/policy.ts";
import type { GuardStatus, TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { IssuerStatus } from "../../issuer/types.ts";
import { describeDifference } from "../../issuer/store/store-time.ts";
import type { Service } from "../service.ts";
import { readFailureReason } from "./failure-reason.ts";
import { authorityDoes } from "./authority-words.ts";
import { rememberedLeftMs, type FallbackPolicy } from "./fallback.ts";
import type { ComponentFinding } from "./service-health.ts";
import type { ProbeResult } from "./store-probe.ts";

/** A check of the store that waits this long is slow. */
const SLOW_MS = 1000;
/** A check of the store that waits this long counts as failed, although it may still succeed. */
const TOO_SLOW_MS = 2000;
/** A failed write of a user counts for this long after it, although a probe has succeeded since. */
const FAILED_WRITE_MS = 3000;

/** Codes of stores that only this process cannot use. Processes that share a store share every other failure. */
const ownCodes: ReadonlySet<string> = new Set(["closed", "store_newer"]);

/**
 * Combines the probe with the writes of users, because a full disk may take a small write and refuse a larger one. A
 * secret that this process lacks makes some answers 503 although the store works.
 */
export function storeFinding(
  { description, problem = null }: Service["store"],
  { failure, waitingMs, isProven, succeededAt }: ProbeResult,
  { writeFailure, unknownSecret }: Pick<IssuerStatus["store"], "writeFailure" | "unknownSecret">,
  now: number,
): ComponentFinding {
  const unavailable = { login: "unavailable", refresh: "unavailable" } as const;
  if (failure !== null) {
    const { reason, message } = failure;
    const isAlone = ownCodes.has(reason);
    return { status: "unavailable", reason, detail: message, outcomes: unavailable, isAlone };
  }
  const waits = `${description}: a check has been waiting for ${Math.round(waitingMs)} ms`;
  if (waitingMs >= TOO_SLOW_MS)
    return { status: "unavailable", reason: "timeout", detail: waits, outcomes: unavailable };
  const ailing = { login: "degraded", refresh: "degraded" } as const;
  if (
    writeFailure !== null &&
    (now - writeFailure.at < FAILED_WRITE_MS || (succeededAt ?? 0) <= writeFailure.at)
  ) {
    const { code, message } = writeFailure;
    const reason = readFailureReason(new Error(message), description);
    return {
      status: "degraded",
      reason: reason === "failed" ? code : reason,
      detail: message,
      outcomes: ailing,
    };
  }
  if (unknownSecret !== null) {
    return { status: "degraded", reason: "store_mismatch", detail: unknownSecret, outcomes: ailing };
  }
  // Where health is rarely asked, the first answer of an outage would otherwise repeat an old one.
  if (waitingMs >= SLOW_MS || (waitingMs > 0 && !isProven))
    return { status: "degraded", reason: "slow", detail: waits, outcomes: ailing };
  if (problem === null) return ok(description);
  return { status: "degraded", reason: "durability", detail: `${description} ${problem}`, outcomes: {} };
}

export function keysFinding({ usable, kids, lastError }: TrustedIssuerStatus["keys"]): ComponentFinding {
  if (!usable) {
    const detail = lastError ?? "there is no key";
    return {
      status: "unavailable",
      reason: "keys_unavailable",
      detail,
      outcomes: { ownTokens: "unavailable" },
    };
  }
  if (lastError === null) return ok(`${kids.length} keys`);
  const detail = `${kids.length} keys, last refresh failed: ${lastError}`;
  return { status: "degraded", reason: "keys_failed", detail, outcomes: {} };
}

/**
 * One failed read does not take an instance out of service. The guard works until its view is too old, and a rule of the
 * policy may have a smaller bound than the guard.
 */
export function revocationsFinding(
  { state, revocations }: TrustedIssuerStatus,
  { narrowestMs, widestMs }: RevocationAgeBounds,
): ComponentFinding {
  // The guard compares the exact age. A rounded one would call a view recent that the guard refuses.
  const ageMs = revocations?.ageMs ?? Infinity;
  const view = `${revocations?.entries ?? 0} in force, view ${Math.round(ageMs)} ms old`;
  if (revocations?.complete === true && ageMs <= narrowestMs) return ok(view);
  const detail = `${view}: ${revocations?.lastError ?? "the view is incomplete"}`;
  const failing = Number.isFinite(ageMs) && { failingMs: ageMs };
  if ((state !== "ready" && state !== "degraded") || ageMs > widestMs) {
    const outcomes = { ownTokens: "unavailable" } as const;
    return { status: "unavailable", reason: "revocations_stale", detail, outcomes, ...failing };
  }
  if (ageMs <= narrowestMs)
    return { status: "degraded", reason: "revocations_failed", detail, outcomes: {}, ...failing };
  const bound = `${view}: routes with maxRevocationAgeMs ${narrowestMs} refuse tokens`;
  return {
    status: "degraded",
    reason: "revocations_stale",
    detail: revocations?.lastError == null ? bound : `${bound}; ${revocations.lastError}`,
    outcomes: { ownTokens: "degraded" },
    ...failing,
  };
}

/** Checks the guard by its work: it must refuse a forged token by its signature. */
export async function guardFinding(
  { url, guard, issuer, platform }: Service,
  hasProvider: boolean,
): Promise<ComponentFinding> {
  try {
    const verdict = await guard.validate(forgedToken(url, issuer.status().keys, platform.entropy));
    const isRefused = verdict.status === "invalid" && verdict.reason === "bad_signature";
    if (isRefused) return ok("refuses a forgery by its signature");
    // A guard that cannot find out is not wrong, for example when it has no keys or too much work.
    if (verdict.status === "unavailable" && guard.status().state !== "closed") {
      const { cause } = verdict;
      return {
        status: "degraded",
        reason: cause,
        detail: `cannot decide: ${cause}`,
        outcomes: { ownTokens: "degraded" },
      };
    }
    throw new Error(`answered a forgery with ${verdict.status}`);
  } catch (error) {
    return {
      status: "unavailable",
      reason: readFailureReason(error, ""),
      detail: error instanceof Error ? error.message : "failed",
      outcomes: ofAllTokens("unavailable", hasProvider),
      isAlone: true,
    };
  }
}

/**
 * While clocks disagree, the guard cannot tell whether a token has expired that only one of them calls expired. The
 * monotonic clock and that of the store are compared with the wall clock.
 */
export function clockFinding(
  { clockSteppedMs, issuers }: GuardStatus,
  { clockDifferenceMs, description }: Pick<IssuerStatus["store"], "clockDifferenceMs" | "description">,
): ComponentFinding {
  const outcomes = ofAllTokens("degraded", issuers.length > 1);
  const otherClock = findOtherClock(issuers);
  if (clockDifferenceMs !== 0 && clockSteppedMs === 0) {
    const detail = describeDifference(clockDifferenceMs, description);
    return { status: "degraded", reason: "clock_differs", detail, outcomes };
  }
  if (otherClock !== null && clockSteppedMs === 0) {
    const { differenceMs, issuer } = otherClock;
    const seconds = Math.round(Math.abs(differenceMs) / 1000);
    const direction = differenceMs > 0 ? "ahead of" : "behind";
    const detail = `the clock of this machine is ${seconds} s ${direction} that of ${issuer}`;
    return { status: "degraded", reason: "clock_differs", detail, outcomes: { providerTokens: "degraded" } };
  }
  if (clockSteppedMs === 0) return ok("the wall clock runs as fast as the monotonic clock");
  const direction = clockSteppedMs > 0 ? "ahead" : "back";
  const detail = `the wall clock was set ${direction} by ${Math.round(Math.abs(clockSteppedMs) / 1000)} s`;
  return { status: "degraded", reason: "clock_stepped", detail, outcomes };
}

/** The issuer whose clock differs most from that of this process. `null` when all agree, as far as they tell. */
export function findOtherClock(
  issuers: GuardStatus["issuers"],
): { readonly issuer: string; readonly differenceMs: number } | null {
  const [first] = issuers
    .flatMap(({ issuer, clockDifferenceMs }) =>
      clockDifferenceMs === null || clockDifferenceMs === 0
        ? []
        : [{ issuer, differenceMs: clockDifferenceMs }],
    )
    .toSorted((a, b) => Math.abs(b.differenceMs) - Math.abs(a.differenceMs));
  return first ?? null;
}

const stateRanks = ["ready", "degraded", "starting", "unavailable"] as const;

/** The provider that is worst off. `null` when the service trusts only itself. */
export function worstProvider({ issuers }: Pick<GuardStatus, "issuers">): TrustedIssuerStatus | null {
  const rank = ({ state }: TrustedIssuerStatus) => stateRanks.indexOf(state);
  return issuers.slice(1).toSorted((a, b) => rank(b) - rank(a))[0] ?? null;
}

/**
 * A provider is never worse than degraded. Taking this instance out of service would not bring the provider back. Its
 * tokens are not all 503 while some of them pass from memory.
 */
export function providerFinding(
  provider: TrustedIssuerStatus,
  guard: Pick<GuardStatus, "memory">,
  fallback: FallbackPolicy,
): ComponentFinding {
  const { issuer, state, keys, authority } = provider;
  if (state === "ready") return ok(issuer);
  // Verification comes before the question to the authority, so keys that are missing come first.
  const failingMs = keys.usable ? (authority?.failingMs ?? null) : null;
  const isMisconfigured = authority?.cause === "authority_misconfigured";
  const keysProblem = `keys: ${keys.lastError ?? (keys.vanished.length > 0 ? "one vanished from the set" : "none yet")}`;
  const authorityProblem =
    authority?.failingMs == null
      ? []
      : [`its authority ${authorityDoes(authority)}: ${authority.lastError ?? "no answer yet"}`];
  const [reason, problems] =
    failingMs === null
      ? ["keys_failed", [keysProblem, ...authorityProblem]]
      : [isMisconfigured ? "authority_misconfigured" : "authority_failed", authorityProblem];
  const passesFromMemory = rememberedLeftMs(provider, fallback, guard) > 0;
  const effect =
    state === "degraded"
      ? "its tokens still get an answer"
      : passesFromMemory
        ? "its new tokens answer 503"
        : "its tokens answer 503";
  const isAnswered = state === "degraded" || passesFromMemory;
  return {
    status: "degraded",
    reason,
    detail: `${issuer}: ${effect}; ${problems.join("; ")}`,
    outcomes: { providerTokens: isAnswered ? "degraded" : "unavailable" },
    ...(failingMs !== null && { failingMs }),
  };
}

function ofAllTokens(status: "degraded" | "unavailable", hasProvider: boolean): ComponentFinding["outcomes"] {
  return hasProvider ? { ownTokens: status, providerTokens: status } : { ownTokens: status };
}

function ok(detail: string): ComponentFinding {
  return { status: "ok", reason: null, detail, outcomes: {} };
}

/** Returns a token like the issuer's, with a random signature. It is new each time, so no cache answers for it. */
function forgedToken(iss: string, keys: IssuerStatus["keys"], entropy: Entropy): string {
  const signing = keys.find(({ activatedAt, retiredAt }) => activatedAt !== null && retiredAt === null);
  const { kid, algorithm: alg } = signing ?? { kid: "none", algorithm: "ES256" };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = encode({ alg, kid, typ: "at+jwt" });
  const claims = encode({ iss, jti: entropy.bytes(9).toString("base64url") });
  return `${header}.${claims}.${entropy.bytes(64).toString("base64url")}`;
}
