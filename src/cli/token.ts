import type { InvalidReason, UnavailableCause, Verdict } from "../core/verdict.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Command } from "./command.ts";
import { readInput } from "./secret-input.ts";

const explanations: Readonly<Record<InvalidReason | UnavailableCause, string>> = {
  too_large: "it is larger than a token may be",
  malformed: "it is not a strictly formed JWT",
  wrong_type: "its typ is not the typ of an access token",
  wrong_algorithm: "its alg is not the alg of its key",
  unknown_critical: "its crit names an unknown extension",
  unknown_key: "its kid is not a key of this service: another service signed it, or the key retired long ago",
  bad_signature: "its signature is not by this service's key: it was forged or altered",
  wrong_issuer: "its iss is another service, or this service under another HOLDFAST_URL",
  wrong_audience: "it is meant for another audience",
  wrong_claim: "a claim has a value that the guard does not accept",
  missing_claim: "a required claim is missing",
  invalid_claim: "a claim has an impossible value",
  sender_constrained: "it is bound to its sender's key, which is not supported",
  expired: "it has expired; the client should refresh",
  not_yet_valid: "its start lies in the future: the clock of its issuer is ahead of this one",
  insufficient_user_authentication: "the login is too old for the rule maxAuthAgeMs",
  inactive: "the authority does not confirm it",
  revoked: "it was revoked: by a logout, a password change, a detected reuse or an operator",
  issuer_unavailable: "the guard could not find out whether it trusts the issuer",
  keys_unavailable: "there are no keys to verify it",
  key_pending: "its key has not been fetched yet",
  authority_unavailable: "the authority does not answer",
  authority_misconfigured: "the authority refuses the requests of this service",
  overloaded: "too many validations are under way",
  clock_uncertain: "this machine's clock jumped",
  revocations_stale: "the revocation view is too old",
  closed: "the guard was closed",
};

export const tokenInspect: Command = {
  name: "token inspect",
  summary: "decode an access token and say whether it is valid, or why not",
  operands: ["[TOKEN]"],
  examples: ["holdfast token inspect < token.txt", "holdfast token inspect eyJhbGciOiJFUzI1NiIs…"],
  notes:
    "Prefer standard input, because other users can see arguments. The signature is never printed. Exits with 0\n" +
    "only when the token is valid here and now. Every audience of the service is accepted; /verify accepts the first one.",
  async run({ operands: [argument] }) {
    const token = (argument ?? (await readInput())).trim();
    const [header, claims] = token.split(".").map(decode);
    console.log(`header ${toSafeJson(header)}\nclaims ${toSafeJson(claims)}`);
    for (const line of describeTimes(claims)) console.log(line);
    const verdict = await withService(async ({ guard }) => await guard.validate(token));
    console.log(describeVerdict(verdict));
    if (verdict.status === "valid" && hasExpired(claims)) {
      console.log("it has expired, and is still accepted within the clock tolerance of the guard");
    }
    return verdict.status === "valid" ? 0 : 1;
  },
};

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return undefined;
  }
}

/** Formats a value as JSON without control characters, which could steer a terminal. */
function toSafeJson(value: unknown): string {
  if (value === undefined) return "cannot be read";
  const code = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, 2).replace(/[^\P{C}\n]/gu, code);
}

function* describeTimes(claims: unknown): Generator<string> {
  const names = { iat: "issued", nbf: "valid from", exp: "expires" };
  for (const [claim, name] of Object.entries(names)) {
    const seconds = (claims as Record<string, unknown> | null | undefined)?.[claim];
    const date = new Date(Number(seconds) * 1000);
    if (typeof seconds !== "number" || Number.isNaN(date.getTime())) continue;
    yield `${name.padEnd(10)} ${date.toISOString()}, ${describeDistance(date.getTime() - Date.now())}`;
  }
}

function hasExpired(claims: unknown): boolean {
  const exp = (claims as { exp?: unknown } | null | undefined)?.exp;
  return typeof exp === "number" && exp * 1000 <= Date.now();
}

const units = [
  [86_400_000, "days"],
  [3_600_000, "hours"],
  [60_000, "minutes"],
] as const;

function describeDistance(ms: number): string {
  const [size, unit] = units.find(([unitMs]) => Math.abs(ms) >= 2 * unitMs) ?? [1000, "seconds"];
  const text = `${Math.round(Math.abs(ms) / size)} ${unit}`;
  return ms < 0 ? `${text} ago` : `in ${text}`;
}

function describeVerdict(verdict: Verdict): string {
  if (verdict.status === "invalid") {
    const { reason, detail } = verdict;
    const { claim, expected, got } = detail ?? {};
    const accepted = expected?.map(toSafeJson).join(" or ") || "any value";
    const facts = detail === undefined ? "" : `; ${claim} is ${toSafeJson(got)}, accepted: ${accepted}`;
    return `invalid (${reason}): ${explanations[reason]}${facts}`;
  }
  if (verdict.status === "unavailable") return `unknown (${verdict.cause}): ${explanations[verdict.cause]}`;
  const { subject, scopes, sessionId } = verdict;
  return `valid: subject ${toSafeJson(subject)}, scopes ${toSafeJson(scopes.join(" "))}, session ${toSafeJson(sessionId ?? null)}`;
}
