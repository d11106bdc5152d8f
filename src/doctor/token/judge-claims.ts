import type { InvalidVerdict, JwtClaims } from "../../core/verdict.ts";
import type { IssuerSettings } from "../../guard/issuer-settings.ts";
import { refuseClaims } from "../../jwt/claims.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import { tokenKind } from "../../jwt/token-kind.ts";
import { fail, ok, type Finding } from "../finding.ts";
import { presetNameOf } from "./guess-preset.ts";
import { explainAudience, warnOfSharedAudience, type Suggestion } from "./judge-audience.ts";
import { describeIssuerDifference } from "./issuer-difference.ts";
import { judgeScopes } from "./judge-scopes.ts";
import { explainGoogleRefusal } from "./known-mistakes.ts";

type Claims = Readonly<JwtClaims>;

/** Judges the claims of a token by the rules for its issuer. Its signature and its times are judged elsewhere. */
export function judgeClaims(
  token: ParsedToken,
  settings: IssuerSettings,
  suggestion: Suggestion | null = null,
): Finding[] {
  const { claimsPolicy, algorithms, authority } = settings;
  if (algorithms !== undefined && !algorithms.includes(token.algorithm)) {
    const detail = `the token is signed with ${token.algorithm}, and ${algorithms.join(", ")} are accepted`;
    return [fail(detail, adviseAlgorithm(token.algorithm, algorithms, suggestion))];
  }
  const isAuthorityAsked = authority !== undefined && authority.ask !== "opaque";
  const refused = refuseClaims(token, { ...claimsPolicy, defersAbsent: isAuthorityAsked });
  const scopes = judgeScopes(token.claims, settings.scopesFrom);
  return refused === null
    ? [ok("its claims are accepted"), ...warnOfSharedAudience(token.claims, claimsPolicy), scopes]
    : [explainRefusal(refused, token.claims, suggestion), scopes];
}

/** A preset has no option for algorithms, and a key set has no key for `HS256`, which a forger likes to name. */
function adviseAlgorithm(used: string, accepted: readonly string[], suggestion: Suggestion | null): string {
  const advice = `get a token that is signed with ${accepted.join(" or ")}`;
  if (suggestion !== null || used.startsWith("HS")) return advice;
  return `${advice}; or algorithms: ${JSON.stringify([...accepted, used])}, only if the provider means to use it`;
}

/** Whether the claims are accepted once the provider puts `audience` into `aud`. */
export function isAcceptedFor(
  audience: string,
  token: ParsedToken,
  { claimsPolicy }: IssuerSettings,
): boolean {
  return refuseClaims({ ...token, claims: { ...token.claims, aud: audience } }, claimsPolicy) === null;
}

/** Explains why the claims are refused, and which option or which token is right. */
function explainRefusal(refused: InvalidVerdict, claims: Claims, suggestion: Suggestion | null): Finding {
  const { reason, detail } = refused;
  const [claim, got] = [detail?.claim ?? "", show(detail?.got)];
  const expected = (detail?.expected ?? []).map(show).join(" or ");
  const ofAudience = explainAudience(reason, detail, claims, suggestion);
  if (ofAudience !== null) return ofAudience;
  if (reason === "wrong_type") return explainKind(claims, claim, got, expected);
  if (reason === "wrong_issuer") {
    const difference = describeIssuerDifference(String(detail?.got), String(detail?.expected[0]));
    return fail(
      `its iss is ${got}, and ${expected} is expected: ${difference}`,
      `only if tokens of this issuer are good, set the issuer to exactly ${got}`,
    );
  }
  if (reason === "missing_claim" || reason === "wrong_claim") {
    return explainClaim(refused, claims, suggestion);
  }
  if (reason === "sender_constrained") {
    const advice = "let the client request a bearer token, without DPoP";
    return fail("it is bound to a key of its sender (cnf), which is not supported", advice);
  }
  const place = claim === "" ? "" : `: ${claim} is ${got}`;
  return fail(`it is refused with ${reason}${place}`, "docs/reference/errors.md explains the reason");
}

function explainClaim(
  { reason, detail }: InvalidVerdict,
  claims: Claims,
  suggestion: Suggestion | null,
): Finding {
  const [claim, got] = [detail?.claim ?? "", show(detail?.got)];
  const known = explainGoogleRefusal(claims, claim, got);
  if (known !== null) return known;
  if (reason === "wrong_claim") {
    const expected = (detail?.expected ?? []).map(show).join(" or ");
    const advice = `if such tokens are good, change claims: { ${JSON.stringify(claim)}: … }`;
    return fail(`its ${claim} is ${got}, and ${expected} is accepted`, advice);
  }
  const advice =
    suggestion !== null && presetNameOf(claims) !== null
      ? "send the token that the provider makes for an API; the preset expects the claim in each"
      : "choose requiredClaims among the claims that its tokens have, or ask the provider for the claim";
  return fail(`it has no ${claim}`, advice);
}

function explainKind(claims: Claims, claim: string, got: string, expected: string): Finding {
  const kind = tokenKind(claims);
  if (kind === "id") {
    const detail = "this is an ID token: it tells the client who logged in, and is not meant for an API";
    const otherwise =
      presetNameOf(claims) !== null
        ? " that came with it"
        : ', or write types: ["id"] if the provider has no other token for your API';
    return fail(detail, `send the access token${otherwise}`);
  }
  if (kind === "other") {
    return fail(`this is no access token: its ${claim} is ${got}`, "send the access token that came with it");
  }
  if ((kind === "access" || kind === "unstated") && claim !== "typ") {
    return fail(
      `this is an access token, and ID tokens are expected (${claim} is ${got})`,
      'send the ID token, or take types: ["id"] away',
    );
  }
  return fail(
    `its typ is ${got}, and ${expected} are accepted`,
    `types: [${got}], if the provider's access tokens have this typ`,
  );
}

function show(value: unknown): string {
  return JSON.stringify(value ?? null);
}
