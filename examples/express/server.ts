import express from "express";
import { protect } from "holdfast/express";
import { guardWithOwnIssuer } from "../own-issuer.ts";

declare module "holdfast/express" {
  interface AuthClaims {
    tenant: string;
  }
}

const guard = await guardWithOwnIssuer();
const app = express();
app.use(protect(guard)); // Everything below needs a token.

app.get("/me", (req, res) => {
  const { subject, claims, scopes } = req.auth;
  res.json({ subject, tenant: claims.tenant, scopes });
});
app.get("/orders", protect(guard, { scopes: ["orders:read"] }), (req, res) => {
  res.json({ orders: [`the first order of ${req.auth.claims.tenant}`] });
});

const port = Number(process.env["PORT"] ?? 3000);
app.listen(port, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`API: http://127.0.0.1:${port}`);
});
