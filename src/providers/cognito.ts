import { option, readOptions, readString } from "../core/options.ts";
import { invalidValue } from "../core/option-values.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { textsOption } from "./read-values.ts";

export interface CognitoOptions {
  /** The ID of the user pool: `eu-central-1_Ab1Cd2Ef3`. It begins with the region. */
  userPoolId: string;
  /** The IDs of the app clients whose tokens are accepted. */
  clientId: string | readonly string[];
}

const table = {
  userPoolId: option((name, value) => {
    if (/^[a-z]{2}(?:-[a-z]+)+-\d_\w+$/.test(readString(name, value))) return value as string;
    throw invalidValue(name, "a user pool ID such as eu-central-1_Ab1Cd2Ef3", value);
  }),
  clientId: textsOption,
};

/**
 * The issuer of an Amazon Cognito user pool. Access tokens name the app client in `client_id` and have no `aud`. Groups
 * are scopes, beside `scope`. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { cognito } from "holdfast/providers";
 *
 * export const guard = createGuard(
 *   cognito({ userPoolId: "eu-central-1_Ab1Cd2Ef3", clientId: "1h57kf5cpq17m0eml12EXAMPLE" }),
 * );
 * ```
 */
export function cognito(options: CognitoOptions): TrustedIssuer {
  const { userPoolId, clientId } = readOptions("cognito", options, table);
  const region = userPoolId.split("_")[0] ?? "";
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const issuer = `https://cognito-idp.${region}.${domain}/${userPoolId}`;
  return {
    issuer,
    audience: clientId,
    audienceFrom: "client_id",
    keys: jwks(`${issuer}/.well-known/jwks.json`),
    claims: { token_use: "access" },
    scopesFrom: ["scope", "cognito:groups"],
    // The login, which a revocation of its refresh token ends.
    sessionFrom: "origin_jti",
  };
}
