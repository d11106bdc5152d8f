import { isHoldfastError } from "../../core/errors.ts";
import { isRecord } from "../../core/json.ts";
import { describeError } from "../../guard/emit.ts";
import { fetchJson, platformFetch } from "../../guard/fetch-json.ts";
import { metadataDocuments, type MetadataDocument } from "../../guard/keys/discovery.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import { configuredKeysUrl, type ProviderProbe } from "../provider-probe.ts";
import { describeIssuerDifference } from "../token/issuer-difference.ts";

const MAX_BYTES = 262_144;
const MAX_SHOWN_ISSUER = 200;

const WRONG_ADDRESS = "set the provider's exact issuer, or its key set in HOLDFAST_PROVIDER_JWKS_URL";
const BUSY = "see whether the provider has an outage; its metadata are asked again until they come";
const UNREACHED = "no server answers: see the line of network, and change no setting for an outage";

/** A guard compares `iss` letter by letter, so an issuer with one slash too many refuses every token. */
export const metadataCheck: Check = {
  name: "metadata",
  group: "providers",
  asks: "a provider's metadata",
  async run({ providers }, signal) {
    if (providers.length === 0) return [skip("no provider is configured")];
    return await Promise.all(providers.map(async (provider) => await checkProvider(provider, signal)));
  },
};

async function checkProvider({ issuer, settings }: ProviderProbe, signal: AbortSignal): Promise<Finding> {
  const { kind } = settings.keys;
  const url = kind === "discovered" ? configuredKeysUrl(settings) : null;
  const documents = url === null ? listDocuments(issuer) : [{ what: "the metadata", url }];
  const failures: string[] = [];
  const advices = new Set<string>();
  for (const { what, url: address } of documents) {
    try {
      const call = { what, fetch: platformFetch, headers: {}, maxBytes: MAX_BYTES, signal };
      const { status, json } = await fetchJson(address, call);
      if (status === 200) return judgeMetadata(issuer, address, json, kind === "discovered");
      failures.push(`${address} answered ${status}`);
      advices.add(status >= 500 || status === 429 ? BUSY : WRONG_ADDRESS);
    } catch (error) {
      failures.push(`${address}: ${describeError(error)}`);
      // An answer that is not JSON comes from another server than that of the provider.
      advices.add(isHoldfastError(error) ? WRONG_ADDRESS : UNREACHED);
    }
  }
  if (kind !== "discovered")
    return skip(`${issuer}: its keys do not come from metadata, and there are none to compare`);
  const advice = [WRONG_ADDRESS, BUSY].find((one) => advices.has(one)) ?? UNREACHED;
  return fail(`${issuer}: no metadata: ${failures.join("; ")}`, advice);
}

/** The list is empty when the issuer is not a URL, and its keys come from elsewhere. */
function listDocuments(issuer: string): readonly MetadataDocument[] {
  try {
    return metadataDocuments(issuer, () => true);
  } catch {
    return [];
  }
}

/** Compares metadata with the configured issuer. `isNeeded` when the keys are found through them. */
export function judgeMetadata(issuer: string, url: string, json: unknown, isNeeded: boolean): Finding {
  const { issuer: named, jwks_uri: keys } = isRecord(json) ? json : {};
  if (typeof named !== "string") {
    const problem = `${url} names no issuer`;
    return isNeeded ? fail(problem, "ask the provider for its metadata (RFC 8414)") : skip(problem);
  }
  const shown = named.slice(0, MAX_SHOWN_ISSUER);
  if (named !== issuer) {
    const detail = `${url} names the issuer ${shown}, and the settings name ${issuer}: ${describeIssuerDifference(named, issuer)}`;
    const advice = `set the issuer to exactly ${shown}`;
    return isNeeded ? fail(detail, advice) : warn(detail, `${advice}, if tokens have that iss`);
  }
  if (isNeeded && typeof keys !== "string") {
    return fail(`${url} has no jwks_uri`, "set the address of the key set in HOLDFAST_PROVIDER_JWKS_URL");
  }
  return ok(`${shown} is what the provider calls itself`);
}
