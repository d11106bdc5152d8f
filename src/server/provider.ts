import { introspection } from "../guard/authority/introspection.ts";
import { discovered } from "../guard/keys/discovery.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import type { ProviderSettings } from "./settings.ts";

/** Somebody else's provider, whose tokens `/verify` accepts besides the service's own. */
export function trustedProvider(provider: ProviderSettings, audience: string): TrustedIssuer {
  const { issuer, jwksUrl, authority } = provider;
  return {
    issuer,
    audience,
    keys: jwksUrl === undefined ? discovered() : jwks(jwksUrl),
    ...(authority !== undefined && {
      authority: introspection({
        url: authority.url,
        clientId: authority.client.id,
        clientSecret: authority.client.secret,
        opaque: true,
      }),
    }),
  };
}
