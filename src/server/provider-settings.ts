import { readAllowHttp } from "../guard/allow-http.ts";
import { isTrustworthy } from "../guard/fetch-json.ts";
import { settingDefinitions, type SettingValues } from "./setting-definitions.ts";

const providerUrls = ["HOLDFAST_PROVIDER_JWKS_URL", "HOLDFAST_AUTHORITY_URL"] as const;

/**
 * Finds URLs of the provider that need plain HTTP to a host where it is not allowed. Nothing is fetched from the issuer
 * when another setting names its key set.
 */
export function findPlainHttp(values: Partial<SettingValues>): string[] {
  const allowHttp = readAllowHttp("HOLDFAST_ALLOW_HTTP", values.HOLDFAST_ALLOW_HTTP);
  const isAllowed = (text = "https://none.invalid") => {
    const url = URL.parse(text);
    return url !== null && isTrustworthy(url, allowHttp);
  };
  const { HOLDFAST_PROVIDER_ISSUER: issuer, HOLDFAST_PROVIDER_JWKS_URL: jwksUrl } = values;
  const problems = providerUrls.flatMap((name) =>
    isAllowed(values[name]) ? [] : [`${name} must be ${settingDefinitions[name].form}`],
  );
  if (jwksUrl === undefined && !isAllowed(issuer)) {
    const form = settingDefinitions.HOLDFAST_PROVIDER_JWKS_URL.form;
    problems.push(`HOLDFAST_PROVIDER_ISSUER must be ${form} unless HOLDFAST_PROVIDER_JWKS_URL is set`);
  }
  return problems;
}
