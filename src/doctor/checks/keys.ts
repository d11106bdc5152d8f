import { isRecord } from "../../core/json.ts";
import { importJwkSet } from "../../jwt/jwk-set.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import { adviseKeys, configuredKeysUrl, type KeyDocument, type ProviderProbe } from "../provider-probe.ts";

export const keysCheck: Check = {
  name: "keys",
  group: "providers",
  asks: "a provider's key set",
  async run({ providers }) {
    if (providers.length === 0) return [skip("no provider is configured")];
    return (await Promise.all(providers.map(checkProvider))).flat();
  },
};

async function checkProvider(provider: ProviderProbe): Promise<Finding[]> {
  const fetched = await provider.keys();
  const { status, documents } = fetched;
  const { issuer } = provider;
  if (!status.usable) {
    const url = URL.parse(configuredKeysUrl(provider.settings) ?? "");
    // A query may have a key of the client.
    const place = url === null ? "" : ` at ${url.origin}${url.pathname}`;
    const detail = `${issuer}: no usable key set${place}: ${status.lastError ?? "no answer in time"}`;
    return [fail(detail, adviseKeys(provider, fetched))];
  }
  const { algorithms } = provider.settings;
  const problems = documents.flatMap(({ url, jwks }) => judgeKeySet({ url, jwks }, { issuer, algorithms }));
  if (problems.length > 0) return problems;
  return [
    ok(
      `${issuer}: ${status.kids.length} ${status.kids.length === 1 ? "key" : "keys"}: ${status.kids.join(", ")}`,
    ),
  ];
}

/** Finds keys of a set that no token can be verified with, and those that make the set ambiguous. */
export function judgeKeySet(
  { url, jwks }: KeyDocument,
  { issuer, algorithms }: { issuer: string; algorithms: ProviderProbe["settings"]["algorithms"] },
): Finding[] {
  const place = `${issuer}: ${url}`;
  const listed = isRecord(jwks) && Array.isArray(jwks["keys"]) ? (jwks["keys"] as unknown[]) : [];
  const findings: Finding[] = [];
  const { rejected } = importJwkSet(jwks, { algorithms });
  for (const { index, reason } of rejected) {
    const jwk = isRecord(listed[index]) ? listed[index] : {};
    // Providers may publish keys for encryption in the same set.
    if (jwk["use"] === "enc") continue;
    const name = typeof jwk["kid"] === "string" ? `the key ${jwk["kid"]}` : `key ${index}`;
    if (/private|secret/.test(reason)) {
      findings.push(
        fail(
          `${place} publishes a private key: ${name} ${reason}`,
          "remove it there and revoke it: everybody can sign with it",
        ),
      );
      continue;
    }
    const hasOnlyCertificate = jwk["x5c"] !== undefined && jwk["n"] === undefined && jwk["x"] === undefined;
    const why = hasOnlyCertificate ? "has a certificate (x5c) and no key" : reason;
    findings.push(
      warn(`${place}: ${name} ${why}`, "its tokens are refused; ask the provider for a usable key"),
    );
  }
  const kids = listed.flatMap((jwk) => (isRecord(jwk) && typeof jwk["kid"] === "string" ? [jwk["kid"]] : []));
  const repeated = [...new Set(kids.filter((kid, i) => kids.indexOf(kid) !== i))];
  if (repeated.length > 0) {
    const detail = `${place} uses a kid for several keys: ${repeated.join(", ")}`;
    findings.push(
      warn(detail, "every token of that kid costs several verifications; ask the provider for distinct kids"),
    );
  }
  return findings;
}
