import fastifyJwt from "@fastify/jwt";
import { fastify } from "fastify";
import jwksRsa from "jwks-rsa";

const { ISSUER, AUDIENCE, KEYS_URL, PORT = "3000" } = process.env;
const app = fastify();

const client = jwksRsa({ jwksUri: KEYS_URL, cache: true, rateLimit: true });

await app.register(fastifyJwt, {
  decode: { complete: true },
  secret: async (request, token) => {
    const key = await client.getSigningKey(token.header.kid);
    return key.getPublicKey();
  },
  verify: { allowedIss: ISSUER, allowedAud: AUDIENCE, algorithms: ["RS256"] },
});

function requireScope(scope) {
  return async (request, reply) => {
    if (request.user.scope?.split(" ").includes(scope)) return;
    await reply.code(403).send({ error: "insufficient_scope" });
  };
}

app.addHook("onRequest", async (request) => {
  await request.jwtVerify();
});
app.get("/me", async (request) => ({ user: request.user.sub }));
app.get("/orders", { onRequest: requireScope("orders:read") }, async (request) => ({
  orders: [`the first order of ${request.user.sub}`],
}));

console.log(await app.listen({ host: "127.0.0.1", port: Number(PORT) }));
