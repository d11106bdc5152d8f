import type { JwtClaims } from "../../core/verdict.ts";
import { fail, type Finding } from "../finding.ts";

type Claims = Readonly<JwtClaims>;

/** The names of Microsoft Graph in `aud`: its application ID, or its address in one of the clouds. */
const graph =
  /^(?:00000003-0000-0000-c000-000000000000|https:\/\/(?:(?:dod-)?graph\.microsoft\.(?:com|us)|microsoftgraph\.chinacloudapi\.cn)\/?)$/;

/** A token for Microsoft Graph, which is what Entra issues when a client names no scope of an API. `null` for another token. */
export function findGraphToken({ aud }: Claims): Finding | null {
  const named = [aud ?? []].flat();
  if (named.length === 0 || !named.every((one) => graph.test(one))) return null;
  return fail(
    "this token is for Microsoft Graph and not for your API: the client asked for a scope of Graph, or for none of an API",
    "let the client ask for a scope of your API, such as api://CLIENT-ID/SCOPE; no other API can verify tokens for Graph",
  );
}

const googleIssuer = /^(?:https:\/\/)?accounts\.google\.com$/;

/** Whether Google issued the token for a service account, and left its e-mail out. Such an account asks for itself, by its number. */
export function isNamelessServiceAccount(claims: Claims): boolean {
  const { iss, sub, azp, email } = claims;
  return googleIssuer.test(iss ?? "") && email === undefined && azp === sub && /^\d+$/.test(sub ?? "");
}

/** Explains a refusal that has one usual cause at Google. `null` for another one. */
export function explainGoogleRefusal(claims: Claims, claim: string, got: string): Finding | null {
  if (!googleIssuer.test(claims.iss ?? "")) return null;
  if (isNamelessServiceAccount(claims)) {
    return fail(
      "this is a service account's token without its e-mail, so nobody can tell which account it is of",
      "ask for it with the e-mail (gcloud: --include-email), and set serviceAccounts",
    );
  }
  if (claim !== "azp") return null;
  return fail(
    `the client ${got} asked for it (azp), and is not in clientId`,
    `add ${got} to clientId, if that client is yours`,
  );
}
