import { randomUUID } from "node:crypto";

export const issuer = "https://id.example.com";
export const audience = "https://api.example.com";

/** An access token's claims as providers make them; with an RS256 signature a token of about 950 bytes. */
export function claims(): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000);
  return {
    iss: issuer,
    sub: randomUUID(),
    aud: [audience, "https://id.example.com/userinfo"],
    exp: iat + 3600,
    iat,
    jti: randomUUID(),
    sid: randomUUID(),
    client_id: "web",
    scope: "openid profile email orders:read orders:write offline_access",
    roles: ["editor", "viewer"],
  };
}
