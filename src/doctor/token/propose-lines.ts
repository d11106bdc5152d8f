import type { ParsedToken } from "../../jwt/parse.ts";
import { readIssuerOrTenants, type IssuerSettings } from "../../guard/issuer-settings.ts";
import { ok, warn, type Finding } from "../finding.ts";
import { namedApis, UNKNOWN_API, type GuessedPreset } from "./guess-preset.ts";
import { adviseChoice, warnOfOtherAudience } from "./judge-audience.ts";
import { isAcceptedFor, judgeClaims } from "./judge-claims.ts";
import { adviseRights, proposeScopesFrom } from "./judge-scopes.ts";
import { isPlainHttp, judgeUnconfiguredSignature } from "./judge-signature.ts";
import { isNamelessServiceAccount } from "./known-mistakes.ts";

/** The result of judging a token by the options that it suggests. */
interface Proposal {
  readonly findings: readonly Finding[];
  /** The findings about the lines. They belong to the report only with the lines. */
  readonly notes: readonly Finding[];
  /** Lines to paste into a program. */
  readonly code: readonly string[];
}

/** The values that the reader named. A member is `undefined` when the token alone names it. */
interface NamedByReader {
  readonly audience: string | undefined;
  readonly issuer: string | undefined;
}

/** The options that a token suggests. */
interface SuggestedRules extends NamedByReader {
  readonly settings: IssuerSettings | undefined;
  readonly hasPreset: boolean;
  /** The values that the options have from the token alone. */
  readonly taken: readonly string[];
  readonly code: readonly string[];
}

/** Judges the token of a known provider by the preset with options that fit it. */
export async function proposePreset(
  token: ParsedToken,
  { name, code, issuers, taken }: GuessedPreset,
  named: NamedByReader,
): Promise<Proposal> {
  const all = issuers.flatMap((one) => readIssuerOrTenants(name, one).issuers);
  const settings = all.find(({ claimsPolicy }) => claimsPolicy.issuer === token.claims.iss) ?? all[0];
  return await judgeBySuggestion(token, ok(`the preset ${name} fits its issuer`), {
    ...named,
    settings,
    hasPreset: true,
    taken,
    code: [`import { ${name} } from "holdfast-guard/providers";`, `createGuard(${code})`],
  });
}

/** Judges the token of a provider without a preset by the options that it suggests. */
export async function proposeOptions(
  token: ParsedToken,
  iss: string,
  expected: NamedByReader,
): Promise<Proposal> {
  const [named] = namedApis(token.claims);
  // A guard with every name in `aud`, or with none, would accept tokens for other APIs.
  const audience = expected.audience ?? named ?? UNKNOWN_API;
  const scopesFrom = proposeScopesFrom(token.claims, audience);
  const options = { issuer: iss, audience, ...(scopesFrom && { scopesFrom }) };
  const known = ok("no preset fits its issuer, and none is needed for a provider that follows the standards");
  const [settings] = readIssuerOrTenants("the guard", options).issuers;
  return await judgeBySuggestion(token, known, {
    ...expected,
    settings,
    hasPreset: false,
    taken: expected.audience === undefined && named !== undefined ? [named] : [],
    code: [`createGuard(${JSON.stringify(options)})`],
  });
}

/**
 * Judges a token by the options that it suggests. The options of a forged token are not proposed, nor options that refuse
 * the token for good. The same holds for options whose keys come over plain HTTP.
 */
async function judgeBySuggestion(
  token: ParsedToken,
  known: Finding,
  suggested: SuggestedRules,
): Promise<Proposal> {
  const { settings, audience, code, hasPreset } = suggested;
  if (settings === undefined) return { findings: [known], notes: [], code: [] };
  const signature = await judgeUnconfiguredSignature(token, settings);
  const judged = judgeClaims(token, settings, { audience });
  const findings = [
    known,
    ...judged,
    ...warnOfOtherAudience(audience, settings.claimsPolicy),
    ...adviseChoice(token.claims, audience, code),
    signature,
  ];
  const isRefused = judged.some(({ status }) => status === "fail");
  const isUseless = isRefused && !fitsNewToken(token, settings, suggested);
  if (signature.status === "fail" || isUseless || isPlainHttp(settings))
    return { findings, notes: [], code: [] };
  const rights = hasPreset ? [] : adviseRights(settings.scopesFrom);
  const notes = [...rights, ...warnOfTrust(token, suggested, signature.status === "ok")];
  return { findings, notes, code: ['import { createGuard } from "holdfast-guard";', ...code.map(toAscii)] };
}

/**
 * Whether the proposed lines accept a token that the provider makes after a change. That token has the audience of the
 * API, or the e-mail of its service account.
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

/** Names the values that the lines trust only because the token names them. A stranger may have made the token for these lines. */
function warnOfTrust(
  { claims }: ParsedToken,
  { issuer, taken }: SuggestedRules,
  isVerified: boolean,
): readonly Finding[] {
  const provider = issuer === undefined ? [`the issuer ${JSON.stringify(claims.iss)}`] : [];
  const names = [...provider, ...[...new Set(taken)].map((one) => JSON.stringify(one))].map(toAscii);
  if (names.length === 0) return [];
  const detail = `the lines trust what the token names: ${names.join(", ")}`;
  const advice = "paste them only if you know these names from your provider";
  return [isVerified ? ok(`${detail}; ${advice}`) : warn(detail, advice)];
}

/** The same JavaScript with escapes in its strings, because the letters of another alphabet can look like those of a known name. */
function toAscii(code: string): string {
  return code.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
