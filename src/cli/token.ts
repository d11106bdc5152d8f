import type { InvalidReason, UnavailableCause, Verdict } from "../core/verdict.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Command } from "./command.ts";
import { readInput } from "./secret-input.ts";

const explanations: Readonly<Record<InvalidReason | UnavailableCause, string>> = {
  too_large: "it is larger than a token may be",
  malformed: "it is not a strictly formed JWT",
  wrong_type: "its typ is not that of an access token",
  wrong_algorithm: "its alg is not the one its key is for",
  unknown_critical: "its crit names an extension that nobody here knows",
  unknown_key:
    "its kid is none of this service's keys: another service's token, or one of a key long retired",
  bad_signature: "its signature is not by this service's key: forged, or altered on the way",
  wrong_issuer: "its iss is another service, or this one under another HOLDFAST_URL",
  wrong_audience: "it is meant for another audience",
  missing_claim: "a claim that every token has is missing",
  invalid_claim: "a claim has an impossible value",
  sender_constrained: "it is bound to its sender's key, which is not supported",
  expired: "it has expired; the client should refresh",
  not_yet_valid: "it lies in the future: the clock that issued it is ahead of this one",
  inactive: "the authority does not call it active",
  revoked: "it was revoked: by a logout, a password change, a detected reuse or an operator",
  keys_unavailable: "there are no keys to check it with",
  key_pending: "its key is not known yet",
  authority_unavailable: "the authority does not answer",
  authority_misconfigured: "the authority refuses this service's own questions",
  overloaded: "too much is being checked already",
  clock_uncertain: "this machine's clock jumped",
  revocations_stale: "it is not known what has been revoked",
  closed: "the guard was closed",
};

export const tokenInspect: Command = {
  name: "token inspect",
  summary: "decode an access token and say whether it is valid, or why not",
  operands: ["[TOKEN]"],
  examples: ["holdfast token inspect < token.txt", "holdfast token inspect eyJhbGciOiJFUzI1NiIs…"],
  notes:
    "Prefer standard input: others on the machine can see arguments. The signature is never printed. Exits with 0\n" +
    "only when the token is valid here and now.",
  async run({ operands: [argument] }) {
    const token = (argument ?? (await readInput())).trim();
    const [header, claims] = token.split(".").map(decode);
    console.log(`header ${toSafeJson(header)}\nclaims ${toSafeJson(claims)}`);
    for (const line of describeTimes(claims)) console.log(line);
    const verdict = await withService(async ({ guard }) => await guard.validate(token));
    console.log(describeVerdict(verdict));
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

/** As JSON, with nothing in it that could steer a terminal. */
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
  if (verdict.status === "invalid") return `invalid (${verdict.reason}): ${explanations[verdict.reason]}`;
  if (verdict.status === "unavailable")
    return `cannot be told (${verdict.cause}): ${explanations[verdict.cause]}`;
  const { subject, scopes, sessionId } = verdict;
  return `valid: subject ${toSafeJson(subject)}, scopes ${toSafeJson(scopes.join(" "))}, session ${toSafeJson(sessionId ?? null)}`;
}
