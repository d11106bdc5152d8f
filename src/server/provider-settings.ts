import { readAllowHttp } from "../guard/allow-http.ts";
import { isTrustworthy } from "../guard/fetch-json.ts";
import { settingDefinitions, type SettingValues } from "./setting-definitions.ts";

const providerUrls = ["HOLDFAST_PROVIDER_JWKS_URL", "HOLDFAST_AUTHORITY_URL"] as const;

/** Finds URLs of the provider that need plain HTTP to a host where it is not allowed. */
export function findPlainHttp(values: Partial<SettingValues>): string[] {
  const allowHttp = readAllowHttp("HOLDFAST_ALLOW_HTTP", values.HOLDFAST_ALLOW_HTTP);
  return providerUrls.flatMap((name) => {
    const url = URL.parse(values[name] ?? "https://none.invalid");
    const isAllowed = url !== null && isTrustworthy(url, allowHttp);
    return isAllowed ? [] : [`${name} must be ${settingDefinitions[name].form}`];
  });
}
