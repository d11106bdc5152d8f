import type { InvalidReason, UnavailableCause, Verdict } from "../../../core/verdict.ts";
import type { Explanation } from "../../../dashboard/wire-api.ts";
import { durationWords } from "../../health/words.ts";

const invalidWords: Readonly<Record<InvalidReason, string>> = {
  too_large: "it is longer than the guard accepts",
  malformed: "its form is not that of a token",
  wrong_type: "it is not an access token, but an ID token or another kind",
  wrong_algorithm: "its algorithm is not accepted here",
  unknown_critical: "its header names an extension that the guard does not know (crit)",
  unknown_key: "its key is not in the key set of its issuer",
  bad_signature: "its signature is wrong: the token was changed, or another key signed it",
  wrong_issuer: "its issuer is not trusted",
  wrong_audience: "it is for another audience",
  missing_claim: "a required claim is missing",
  wrong_claim: "a claim has another value than the rules demand",
  invalid_claim: "a claim has the wrong type or an impossible value",
  sender_constrained: "it is bound to a key or certificate of its client (cnf)",
  expired: "it has expired",
  not_yet_valid: "it is not valid yet",
  insufficient_user_authentication: "the login is too long ago",
  inactive: "its authority says that it is not active",
  revoked: "it was revoked",
};

const unavailableWords: Readonly<Record<UnavailableCause, string>> = {
  keys_unavailable: "there is no usable key set",
  key_pending: "its key is not known yet, and the key set cannot be fetched",
  issuer_unavailable: "nothing is known about its issuer yet",
  revocations_stale: "the view of revocations is too old",
  authority_unavailable: "the authority does not answer",
  authority_misconfigured: "the authority refuses this service itself",
  overloaded: "too many verifications are under way",
  clock_uncertain: "the clock was set, and the token is in time by one reading only",
  closed: "the guard was closed",
};

/** The verdict as a sentence for an operator. Its detail shows what the guard expects, and is not for clients. */
export function describeVerdict(
  verdict: Verdict,
  now: number,
): Pick<Explanation, "status" | "text" | "reason"> {
  if (verdict.status === "valid") {
    const { basis, degraded, scopes, expiresAt } = verdict;
    const grounds =
      basis === "authority" ? "its authority confirmed it" : "its signature and claims are good";
    const mode = degraded === null ? "" : `, in degraded mode because of ${degraded.cause}`;
    const rest = Number.isFinite(expiresAt) ? ` for ${durationWords(expiresAt - now)} more` : "";
    const rights = scopes.length === 0 ? "no scopes" : `the scopes ${scopes.join(" ")}`;
    return {
      status: "valid",
      reason: null,
      text: `The guard accepts it${rest}: ${grounds}${mode}. It has ${rights}.`,
    };
  }
  if (verdict.status === "unavailable") {
    const text = `The guard cannot decide (503): ${unavailableWords[verdict.cause]}.`;
    return { status: "unavailable", reason: verdict.cause, text };
  }
  const { reason, detail } = verdict;
  const compared =
    detail === undefined
      ? ""
      : ` ${detail.claim} is ${JSON.stringify(detail.got)}, and must be ${detail.expected.length === 0 ? "present" : detail.expected.map((one) => JSON.stringify(one)).join(" or ")}.`;
  return {
    status: "invalid",
    reason,
    text: `The guard refuses it (401): ${invalidWords[reason]}.${compared}`,
  };
}
