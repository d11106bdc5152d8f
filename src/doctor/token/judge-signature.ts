import { isTrustworthy } from "../../guard/fetch-json.ts";
import type { IssuerSettings } from "../../guard/issuer-settings.ts";
import type { ParsedToken } from "../../jwt/parse.ts";
import { verifySignature } from "../../jwt/signature.ts";
import { fail, ok, warn, type Finding } from "../finding.ts";
import { adviseKeys, configuredKeysUrl, ProviderProbe, type FetchedKeys } from "../provider-probe.ts";

/** Verifies the signature with the keys of a configured provider. A guard refuses the token without them. */
export async function judgeSignature(token: ParsedToken, provider: ProviderProbe): Promise<Finding> {
  const fetched = await provider.keys();
  if (fetched.status.usable) return verifyWith(token, provider.issuer, fetched);
  const detail = `its signature cannot be verified: ${describeFailure(fetched)}`;
  return fail(detail, adviseKeys(provider, fetched));
}

/**
 * Verifies the signature with the keys of the issuer that the token names. The token may come from a stranger, so that
 * plain HTTP reaches this machine only.
 */
export async function judgeUnconfiguredSignature(
  token: ParsedToken,
  settings: IssuerSettings,
): Promise<Finding> {
  const { claimsPolicy } = settings;
  if (isPlainHttp(settings)) {
    const detail = `the signature was not verified: the keys of ${claimsPolicy.issuer} come over plain http, so anybody on the network can replace them and forge tokens`;
    const advice =
      "give the provider an https address; only in a network that you trust, set HOLDFAST_PROVIDER_ISSUER and HOLDFAST_ALLOW_HTTP, and run the command again";
    return warn(detail, advice);
  }
  if (!isAsked(keysAddress(settings))) {
    const detail =
      "the signature was not verified: keys of an issuer that is not configured are fetched over https, or from this machine";
    const advice =
      "only if tokens of this issuer are good, set HOLDFAST_PROVIDER_ISSUER, and run the command again";
    return warn(detail, advice);
  }
  const fetched = await new ProviderProbe(settings).keys();
  if (fetched.status.usable) return verifyWith(token, claimsPolicy.issuer, fetched);
  return warn(
    `the signature was not verified: ${describeFailure(fetched)}`,
    "anybody could have made this token; run the command where the key set of the issuer can be reached",
  );
}

/** Whether the keys come over plain HTTP from another machine. */
export function isPlainHttp(settings: IssuerSettings): boolean {
  const url = URL.parse(keysAddress(settings));
  return url?.protocol === "http:" && !isTrustworthy(url);
}

function keysAddress(settings: IssuerSettings): string {
  return configuredKeysUrl(settings) ?? settings.claimsPolicy.issuer;
}

/** An issuer with a query or a fragment has no metadata. */
function isAsked(address: string): boolean {
  const url = URL.parse(address);
  return url !== null && isTrustworthy(url) && url.search === "" && url.hash === "";
}

function describeFailure({ status }: FetchedKeys): string {
  return status.lastError ?? "the key set gives no answer";
}

function verifyWith(token: ParsedToken, issuer: string, { status, keyring }: FetchedKeys): Finding {
  const keys = keyring.find(token.kid, token.algorithm);
  if (keys.some((key) => verifySignature(token, key))) return ok("its signature is that of the provider");
  const kids = status.kids.map((kid) => JSON.stringify(kid)).join(", ");
  if (token.kid !== undefined && !status.kids.includes(token.kid)) {
    const detail = `its key ${JSON.stringify(token.kid)} is not in the key set of ${issuer}, which has ${kids}`;
    return fail(
      detail,
      "it was forged, or another environment signed it, or the provider has replaced the key: get a new token",
    );
  }
  const detail =
    keys.length === 0
      ? `no key of the set is for ${token.algorithm}`
      : "no key of the set made its signature";
  const advice =
    "it was forged, or altered on the way, or another environment with the same name signed it: get a new token";
  return fail(detail, advice);
}
