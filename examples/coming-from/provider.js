import { once } from "node:events";
import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const audience = "https://api.example.com";

/** Starts a provider with metadata and a key set. It signs the tokens of the tests. */
export async function startProvider() {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const key = { ...(await exportJWK(publicKey)), kid: "1", alg: "RS256", use: "sig" };
  const server = createServer((req, res) => {
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(req.url === "/keys" ? { keys: [key] } : { issuer, jwks_uri: keysUrl }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const keysUrl = `${issuer}/keys`;

  const sign = async (claims, signingKey) => {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: issuer, aud: audience, sub: "ann", iat: now, exp: now + 600, ...claims };
    return await new SignJWT(all).setProtectedHeader({ alg: "RS256", kid: "1" }).sign(signingKey);
  };
  return {
    issuer,
    keysUrl,
    token: async (claims) => await sign(claims, privateKey),
    forgedToken: async () => await sign({}, (await generateKeyPair("RS256")).privateKey),
    close: () => server.close(),
  };
}
