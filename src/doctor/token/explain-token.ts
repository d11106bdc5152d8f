import { systemClock } from "../../core/clock.ts";
import { checkTime } from "../../jwt/claims.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import { tokenKind } from "../../jwt/token-kind.ts";
import type { IssuerSettings } from "../../guard/issuer-settings.ts";
import { worstStatus, fail, ok, shorten, warn, type Finding, type FindingStatus } from "../finding.ts";
import { ProviderProbe } from "../provider-probe.ts";
import { guessPreset } from "./guess-preset.ts";
import { describeIssuerDifference } from "./issuer-difference.ts";
import { findGraphToken } from "./known-mistakes.ts";
import { judgeClaims } from "./judge-claims.ts";
import { judgeSignature } from "./judge-signature.ts";
import { proposeOptions, proposePreset } from "./propose-lines.ts";
import { readToken } from "./read-token.ts";

/** The rules that the token is compared with. */
export interface TokenExpectations {
  /** The issuers that are configured. The list is empty without a configuration. */
  readonly providers: readonly ProviderProbe[];
  /** The service's own tokens. `null` without a configuration. */
  readonly own: IssuerSettings | null;
  /** The issuer that the guard is set to. `undefined` when any issuer is judged. */
  readonly issuer?: string | undefined;
  /** HOLDFAST_URL, when the token is for the service and it has no provider. */
  readonly ownUrl?: string | undefined;
  /** Whether there are settings that could not be read, so that `providers` may lack the issuer. */
  readonly hasUnreadSettings?: boolean;
  /** The audience of the API. `undefined` when it is not known. */
  readonly audience: string | undefined;
  /** `clockToleranceMs` of the guard. */
  readonly toleranceMs: number;
}

export interface TokenReport {
  readonly status: FindingStatus;
  readonly findings: readonly Finding[];
  /** Lines to paste into a program or into the settings. */
  readonly code: readonly string[];
}

/** Says what a token is, whether the configured guard accepts it, and what to change. No part of the token is repeated but its issuer, audience, key, client and scopes. */
export async function explainToken(input: string, expected: TokenExpectations): Promise<TokenReport> {
  const read = readToken(input);
  if (read.kind === "unusable") return toReport(read.findings, []);
  if (read.kind === "opaque") {
    return toReport([...read.findings, ...(await explainOpaque(read.text, expected))], []);
  }
  const { token, text } = read;
  const findings = [...read.findings, describeToken(token), judgeTime(token, expected.toleranceMs)];
  const forGraph = findGraphToken(token.claims);
  if (forGraph !== null) return toReport([...findings, forGraph], []);
  if (expected.issuer !== undefined && expected.issuer !== token.claims.iss) {
    return toReport([...findings, explainExpectedIssuer(token.claims.iss, expected.issuer)], []);
  }
  const provider = expected.providers.find(({ issuer }) => issuer === token.claims.iss);
  if (provider !== undefined) {
    findings.push(...judgeClaims(token, provider.settings), await judgeSignature(token, provider));
    const authority = await askAuthority(text, provider);
    return toReport([...findings, ...(authority === null ? [] : [authority])], []);
  }
  if (expected.own !== null && expected.own.claimsPolicy.issuer === token.claims.iss) {
    findings.push(...judgeClaims(token, expected.own));
    findings.push(
      warn(
        "this service issued it, by its iss: its signature and its revocation are not verified here",
        "run holdfast token inspect, which verifies both",
      ),
    );
    return toReport(findings, []);
  }
  return await explainUnknownIssuer(token, findings, expected);
}

function toReport(findings: readonly Finding[], code: readonly string[]): TokenReport {
  return { status: worstStatus(findings.map(({ status }) => status)), findings: findings.map(shorten), code };
}

function describeToken({ algorithm, kid, typ, claims }: ParsedToken): Finding {
  const kinds = {
    access: "an access token",
    id: "an ID token",
    other: "another token than an access token",
    unstated: "a token",
  };
  const audience = claims.aud === undefined ? "no audience" : `the audience ${JSON.stringify(claims.aud)}`;
  const key = kid === undefined ? "no kid" : `the key ${JSON.stringify(kid)}`;
  const type = typ === undefined ? "no typ" : `the typ ${typ}`;
  return ok(
    `${kinds[tokenKind(claims)]} of ${JSON.stringify(claims.iss ?? null)} for ${audience}, with ${algorithm}, ${key} and ${type}`,
  );
}

function judgeTime({ claims }: ParsedToken, toleranceMs: number): Finding {
  const now = systemClock.now();
  const clocks = "get a new one; if it is new, compare the clocks of this machine and of the provider";
  const problem = checkTime(claims, now, toleranceMs);
  if (problem === "expired")
    return fail(`it expired ${formatSpan(now - (claims.exp ?? 0) * 1000)} ago`, clocks);
  if (problem === "not_yet_valid") {
    return fail(`it is not valid for another ${formatSpan((claims.nbf ?? 0) * 1000 - now)}`, clocks);
  }
  if (claims.exp === undefined) {
    return warn(
      "it never expires: it has no exp",
      "ask the provider for an expiry; allowMissingExp: true accepts it",
    );
  }
  const leftMs = claims.exp * 1000 - now;
  if (leftMs > 0) return ok(`it is valid for another ${formatSpan(leftMs)}`);
  const still = `still accepted for ${formatSpan(leftMs + toleranceMs)}`;
  return warn(
    `it expired ${formatSpan(-leftMs)} ago, ${still} (clock tolerance ${formatSpan(toleranceMs)})`,
    clocks,
  );
}

const spans = [
  [86_400_000, "days"],
  [3_600_000, "hours"],
  [60_000, "minutes"],
] as const;

function formatSpan(ms: number): string {
  const [size, unit] = spans.find(([unitMs]) => ms >= 2 * unitMs) ?? [1000, "seconds"];
  return `${Math.round(ms / size)} ${unit}`;
}

/** `null` when the guard would not ask about this token. */
async function askAuthority(text: string, { issuer, settings }: ProviderProbe): Promise<Finding | null> {
  const { authority: source } = settings;
  if (source === undefined || source.ask === "opaque") return null;
  return await ask(text, issuer, source);
}

async function ask(
  text: string,
  issuer: string,
  source: NonNullable<IssuerSettings["authority"]>,
): Promise<Finding> {
  const authority = source.open({
    guard: `doctor ${issuer}`,
    issuer,
    clock: systemClock,
    random: Math.random,
  });
  try {
    const outcome = await authority.ask(text);
    if (outcome.status === "yes") return ok(`the authority of ${issuer} says that it is active`);
    if (outcome.status === "no") {
      const detail = `the authority of ${issuer} says that it is not active: it ended, was revoked, or is for another client`;
      return fail(
        detail,
        "get a new token; see in the provider whether this client may ask about the tokens of others",
      );
    }
    const why = authority.status().lastError ?? outcome.cause;
    return fail(`the authority of ${issuer} gives no answer: ${why}`, "run holdfast doctor to see why");
  } finally {
    authority.close();
  }
}

async function explainOpaque(text: string, { providers }: TokenExpectations): Promise<Finding[]> {
  const known = ok(
    "not a JWT: if it is a token, it is an opaque one, and only its provider can say what it is worth",
  );
  for (const { issuer, settings } of providers) {
    const { authority } = settings;
    if (authority?.opaque?.test(text) === true) return [known, await ask(text, issuer, authority)];
  }
  const advice =
    "configure the introspection endpoint of the provider (HOLDFAST_AUTHORITY_URL), or let the client request a JWT";
  return [known, fail("no configured authority is asked about such tokens", advice)];
}

async function explainUnknownIssuer(
  token: ParsedToken,
  findings: readonly Finding[],
  { providers, own, audience, issuer, ownUrl, hasUnreadSettings = false }: TokenExpectations,
): Promise<TokenReport> {
  const { iss } = token.claims;
  if (iss === undefined) {
    const detail = "it has no iss, so that a guard refuses it, and its signature was not verified";
    const advice =
      "let the provider name itself in iss; allowMissingIss: true accepts it from a guard with one issuer";
    return toReport([...findings, fail(detail, advice)], []);
  }
  const named = [
    ...providers.map((provider) => provider.issuer),
    ...(own === null ? [] : [own.claimsPolicy.issuer]),
  ];
  const all = [...findings];
  if (providers.length > 0) {
    const [nearest = ""] = named.toSorted((a, b) => likeness(iss, b) - likeness(iss, a));
    const difference = describeIssuerDifference(iss, nearest);
    const detail = `its iss ${JSON.stringify(iss)} is not ${named.join(" or ")}: ${difference}`;
    all.push(fail(detail, adviseIssuer(iss)));
  }
  const preset = guessPreset(token.claims, audience);
  if (preset === null && ownUrl !== undefined) {
    return toReport([...all, explainExpectedIssuer(iss, ownUrl)], []);
  }
  const proposal = await (preset === null
    ? proposeOptions(token, iss, { audience, issuer })
    : proposePreset(token, preset, { audience, issuer }));
  // The configuration names the issuers that the reader trusts. Lines for another issuer would be pasted without that decision.
  if (providers.length > 0 || (hasUnreadSettings && issuer === undefined)) {
    return toReport([...all, ...proposal.findings], []);
  }
  return toReport([...all, ...proposal.findings, ...proposal.notes], proposal.code);
}

function explainExpectedIssuer(iss: string | undefined, wanted: string): Finding {
  if (iss === undefined) {
    return fail(`it has no iss, and ${wanted} is expected`, `get a token of ${wanted}`);
  }
  const difference = describeIssuerDifference(iss, wanted);
  const detail = `its iss ${JSON.stringify(iss)} is not ${wanted}: ${difference}`;
  const change =
    "set the issuer of the guard, or HOLDFAST_URL of the service that issues the tokens, so that both are the same";
  if (difference.startsWith("they differ by")) {
    return fail(detail, `if tokens of both are good, ${change}`);
  }
  return fail(detail, `get a token of ${wanted}; only if tokens of the other issuer are good, ${change}`);
}

/** The line is pasted into a shell, and the token may come from an attacker, so the line has plain characters only. */
function adviseIssuer(iss: string): string {
  const isPlain = /^[\w:/.~%+-]{1,500}$/.test(iss);
  const change = isPlain ? `HOLDFAST_PROVIDER_ISSUER=${iss}` : "set HOLDFAST_PROVIDER_ISSUER to that text";
  return `only if tokens of this issuer are good: ${change}`;
}

/** How many characters two texts share at their beginning. */
function likeness(a: string, b: string): number {
  const different = Array.from(a).findIndex((char, i) => char !== b[i]);
  return different < 0 ? a.length : different;
}
