import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { protect } from "holdfast/hono";
import { guardWithOwnIssuer } from "../own-issuer.ts";

const guard = await guardWithOwnIssuer();
const app = new Hono()
  .use(protect(guard)) // Everything below needs a token.
  .get("/me", (c) => {
    const { subject, claims, scopes } = c.var.auth;
    return c.json({ subject, tenant: claims.tenant, scopes });
  })
  .get("/orders", protect(guard, { scopes: ["orders:read"] }), (c) =>
    c.json({ orders: [`the first order of ${c.var.auth.claims.tenant}`] }),
  );

const port = Number(process.env["PORT"] ?? 3000);
serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => console.log(`API: http://127.0.0.1:${port}`));
