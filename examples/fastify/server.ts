import { fastify } from "fastify";
import { holdfast } from "holdfast/fastify";
import { guardWithOwnIssuer } from "../own-issuer.ts";

declare module "holdfast/fastify" {
  interface AuthClaims {
    tenant: string;
  }
}

const app = fastify();
await app.register(holdfast, { guard: await guardWithOwnIssuer() });
app.addHook("onRequest", app.protect()); // Everything below needs a token.

app.get("/me", ({ auth: { subject, claims, scopes } }) => ({ subject, tenant: claims.tenant, scopes }));
app.get("/orders", { onRequest: app.protect({ scopes: ["orders:read"] }) }, ({ auth }) => ({
  orders: [`the first order of ${auth.claims.tenant}`],
}));

const port = Number(process.env["PORT"] ?? 3000);
console.log(`API: ${await app.listen({ port, host: "127.0.0.1" })}`);
