import type { InvalidVerdict, JwtClaims } from "../../core/verdict.ts";
import type { ClaimsPolicy } from "../../jwt/claims.ts";
import { fail, warn, type Finding } from "../finding.ts";
import { isKeycloakClient, namedApis, presetNameOf } from "./guess-preset.ts";

type Claims = Readonly<JwtClaims>;

/** Says that the rules are those that the token suggests, because no provider is configured for it. */
export interface Suggestion {
  /** The audience that the reader named. `undefined` when the rules have one of the token. */
  readonly audience: string | undefined;
}

/** Explains why the audience is refused, and which option or which token is right. `null` for another reason. */
export function explainAudience(
  reason: InvalidVerdict["reason"],
  detail: InvalidVerdict["detail"],
  claims: Claims,
  suggestion: Suggestion | null,
): Finding | null {
  const claim = detail?.claim ?? "";
  const isMissing = reason === "missing_claim" && claim === "aud";
  if (!isMissing && reason !== "wrong_audience") return null;
  const got = show(detail?.got);
  const expected = (detail?.expected ?? []).map(show).join(" or ");
  const what = isMissing ? "it has no aud" : `its ${claim} is ${got}, and ${expected} is expected`;
  if (isMissing && presetNameOf(claims) === null) return fail(what, adviseOtherClaim(claims));
  if (suggestion !== null && (isMissing || claim === "aud")) {
    return explainSuggested(what, claims, suggestion);
  }
  if (suggestion?.audience !== undefined && !isMissing) {
    const advice = `if ${got} is yours, run the command again with that text (--audience); else get a token of ${expected}`;
    return fail(what, advice);
  }
  return fail(what, isMissing ? adviseNewToken(claims) : adviseAudience(claims, detail?.got));
}

/** The rules have the audience that the reader named, or a made-up one where the token names no API. */
function explainSuggested(what: string, claims: Claims, { audience }: Suggestion): Finding {
  const { aud } = claims;
  if (audience === undefined) {
    const named = aud === undefined ? what : `its aud is ${show(aud)}, and that is not the name of an API`;
    const advice = `${adviseNewToken(claims)}. Then run the command again with the name of your API (--audience)`;
    return fail(named, advice);
  }
  const [own] = namedApis(claims);
  if (own === undefined) return fail(what, adviseNewToken(claims, audience));
  const advice = `if ${show(own)} is your API, run the command again with that text (--audience); else ${adviseNewToken(claims, audience)}`;
  return fail(what, advice);
}

/** Warns when the token is accepted for an audience that no API of the reader has. */
export function warnOfSharedAudience(
  claims: Claims,
  { audience, audienceFrom }: Pick<ClaimsPolicy, "audience" | "audienceFrom">,
): readonly Finding[] {
  const named = [claims.aud].flat();
  const accepted = audienceFrom === "aud" ? (audience ?? []).filter((one) => named.includes(one)) : [];
  if (accepted.length === 0 || namedApis({ aud: accepted }).length > 0) return [];
  const names = accepted.map(show).join(" and ");
  if (!accepted.every(isKeycloakClient)) {
    const what = `its audience ${names} is no API: the provider writes it into tokens whichever API they are for`;
    return [warn(what, `${adviseNewToken(claims)}. Then expect that audience (--audience)`)];
  }
  const detail = `its audience ${names} is no API: Keycloak writes it into the tokens of all users of the realm, whichever API they are for`;
  const advice =
    "add an audience mapper for your API to the client in Keycloak, get a new token, and expect that audience (--audience)";
  return [warn(detail, advice)];
}

/** Warns when the preset has no option for the audience that the reader named, so that nothing compares it. */
export function warnOfOtherAudience(
  named: string | undefined,
  { audience }: Pick<ClaimsPolicy, "audience">,
): readonly Finding[] {
  const compared = audience ?? [];
  if (named === undefined || compared.includes(named)) return [];
  const detail = `the preset does not compare the audience ${show(named)}: it expects ${compared.map(show).join(" or ")}`;
  return [warn(detail, "look whether that is yours; it comes from the token, or is the same for all tokens")];
}

/** Warns when the lines have one of several audiences, because only the reader knows which one is the API. */
export function adviseChoice(
  claims: Claims,
  expected: string | undefined,
  code: readonly string[],
): readonly Finding[] {
  const [first, ...others] = namedApis(claims);
  if (expected !== undefined || others.length === 0) return [];
  if (!code.some((line) => line.includes(show(first)))) return [];
  const detail = `its aud names several APIs, and the lines take ${show(first)}`;
  return [warn(detail, "if that is not your API, run the command again with its name (--audience)")];
}

/** Says how the client gets a token for the API. */
function adviseNewToken(claims: Claims, audience?: string): string {
  const api = audience === undefined ? "your API" : show(audience);
  return presetNameOf(claims) === "keycloak"
    ? `add an audience mapper for ${api} to the client in Keycloak, and get a new token`
    : `let the client request a token for ${api}; the provider then names it in aud`;
}

function adviseAudience(claims: Claims, got: unknown): string {
  const named = [got].flat().filter((one): one is string => typeof one === "string");
  const [own] = namedApis({ aud: named });
  if (own === undefined) return adviseNewToken(claims);
  return `audience: ${JSON.stringify(own)} (HOLDFAST_AUDIENCE of the service), only if that is your API; else let the client request a token for your API`;
}

/** A preset has no option for another claim. */
function adviseOtherClaim(claims: Claims): string {
  for (const name of ["client_id", "azp"]) {
    const value = claims[name];
    if (typeof value === "string")
      return `audienceFrom: "${name}", audience: ${JSON.stringify(value)}, if tokens of this client are for your API`;
  }
  return adviseNewToken(claims);
}

function show(value: unknown): string {
  return JSON.stringify(value ?? null);
}
