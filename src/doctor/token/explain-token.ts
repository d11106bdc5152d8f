import { systemClock } from "../../core/clock.ts";
import { checkTime } from "../../jwt/claims.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import { tokenKind } from "../../jwt/token-kind.ts";
import { readIssuerOrTenants, type IssuerSettings } from "../../guard/issuer-settings.ts";
import { worstStatus, fail, ok, shorten, warn, type Finding, type FindingStatus } from "../finding.ts";
import { ProviderProbe } from "../provider-probe.ts";
import { guessPreset, namedApis } from "./guess-preset.ts";
import { describeIssuerDifference } from "./issuer-difference.ts";
import { findGraphToken, isNamelessServiceAccount } from "./known-mistakes.ts";
import { adviseChoice } from "./judge-audience.ts";
import { isAcceptedFor, judgeClaims } from "./judge-claims.ts";
import { adviseRights, proposeScopesFrom } from "./judge-scopes.ts";
import { judgeSignature, judgeUnconfiguredSignature } from "./judge-signature.ts";
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
  { providers, own, audience, ownUrl }: TokenExpectations,
): Promise<TokenReport> {
  const { iss } = token.claims;
  const named = [
    ...providers.map(({ issuer }) => issuer),
    ...(own === null ? [] : [own.claimsPolicy.issuer]),
  ];
  const all = [...findings];
  if (providers.length > 0) {
    const [nearest = ""] = named.toSorted((a, b) => likeness(iss ?? "", b) - likeness(iss ?? "", a));
    const difference = describeIssuerDifference(iss ?? "", nearest);
    const detail = `its iss ${JSON.stringify(iss ?? null)} is not ${named.join(" or ")}: ${difference}`;
    all.push(fail(detail, adviseIssuer(iss)));
  }
  const preset = guessPreset(token.claims, audience);
  if (preset === null && ownUrl !== undefined) {
    return toReport([...all, explainExpectedIssuer(iss, ownUrl)], []);
  }
  if (preset === null) return await explainOtherIssuer(token, all, audience);
  const issuers = preset.issuers.flatMap((one) => readIssuerOrTenants(preset.name, one).issuers);
  const settings = issuers.find(({ claimsPolicy }) => claimsPolicy.issuer === iss) ?? issuers[0];
  all.push(ok(`the preset ${preset.name} fits its issuer`));
  return await judgeBySuggestion(token, all, { settings, audience, hasPreset: true }, [
    `import { ${preset.name} } from "holdfast-guard/providers";`,
    `createGuard(${preset.code})`,
  ]);
}

function explainExpectedIssuer(iss: string | undefined, wanted: string): Finding {
  const difference = describeIssuerDifference(iss ?? "", wanted);
  const detail = `its iss ${JSON.stringify(iss ?? null)} is not ${wanted}: ${difference}`;
  return fail(
    detail,
    "set the issuer of the guard, or HOLDFAST_URL of the service that issues the tokens, so that both are the same",
  );
}

/** A provider without a preset is judged by the options that its token suggests. */
async function explainOtherIssuer(
  token: ParsedToken,
  findings: readonly Finding[],
  expected: string | undefined,
): Promise<TokenReport> {
  const { iss, aud } = token.claims;
  if (iss === undefined) {
    const advice =
      "allowMissingIss: true accepts it from a guard with one issuer; better, let the provider name itself";
    const detail = "it names no issuer, so its signature was not verified";
    return toReport([...findings, warn(detail, advice)], []);
  }
  // A guard with every name in `aud` would accept tokens for other APIs.
  const audience = expected ?? namedApis(token.claims)[0] ?? aud ?? null;
  const scopesFrom = proposeScopesFrom(token.claims, audience);
  const options = { issuer: iss, audience, ...(scopesFrom && { scopesFrom }) };
  const known = ok("no preset fits its issuer, and none is needed for a provider that follows the standards");
  const [settings] = readIssuerOrTenants("the guard", options).issuers;
  const suggestion = { settings, audience: expected, hasPreset: false };
  return await judgeBySuggestion(token, [...findings, known], suggestion, [
    `createGuard(${JSON.stringify(options)})`,
  ]);
}

interface SuggestedRules {
  readonly settings: IssuerSettings | undefined;
  /** The audience that the reader named. */
  readonly audience: string | undefined;
  readonly hasPreset: boolean;
}

/**
 * Whether the proposed lines accept a token that the provider makes after a change: one with the audience of the API, or
 * with the e-mail of its service account.
 */
function fitsNewToken(
  token: ParsedToken,
  settings: IssuerSettings,
  { audience, hasPreset }: SuggestedRules,
): boolean {
  if (isNamelessServiceAccount(token.claims)) return true;
  const isOnlyForOthers = hasPreset && namedApis(token.claims).length === 0;
  return isOnlyForOthers && audience !== undefined && isAcceptedFor(audience, token, settings);
}

/**
 * Judges a token by the options that it suggests. The options of a forged token are not proposed, nor options that refuse
 * the token for good.
 */
async function judgeBySuggestion(
  token: ParsedToken,
  findings: readonly Finding[],
  suggested: SuggestedRules,
  code: readonly string[],
): Promise<TokenReport> {
  const { settings, audience } = suggested;
  if (settings === undefined) return toReport(findings, []);
  const signature = await judgeUnconfiguredSignature(token, settings);
  const judged = judgeClaims(token, settings, { audience });
  const all = [...findings, ...judged, ...adviseChoice(token.claims, audience, code), signature];
  if (signature.status === "fail") return toReport(all, []);
  const isRefused = judged.some(({ status }) => status === "fail");
  if (isRefused && !fitsNewToken(token, settings, suggested)) return toReport(all, []);
  if (!suggested.hasPreset) all.push(...adviseRights(settings.scopesFrom));
  return toReport(all, ['import { createGuard } from "holdfast-guard";', ...code]);
}

/** The line is pasted into a shell, and the token may come from an attacker, so the line has plain characters only. */
function adviseIssuer(iss: string | undefined): string {
  const isPlain = iss !== undefined && /^[\w:/.~@%+-]{1,500}$/.test(iss);
  return `${isPlain ? `HOLDFAST_PROVIDER_ISSUER=${iss}` : "set HOLDFAST_PROVIDER_ISSUER to that text"}, if tokens of this issuer are good`;
}

/** How many characters two texts share at their beginning. */
function likeness(a: string, b: string): number {
  const different = Array.from(a).findIndex((char, i) => char !== b[i]);
  return different < 0 ? a.length : different;
}
