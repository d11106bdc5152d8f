import express from "express";
import { auth, requiredScopes } from "express-oauth2-jwt-bearer";

const { ISSUER, AUDIENCE, PORT = "3000" } = process.env;
const app = express();

app.use(auth({ issuerBaseURL: ISSUER, audience: AUDIENCE, tokenSigningAlg: "RS256" }));

app.get("/me", (req, res) => {
  res.json({ user: req.auth.payload.sub });
});
app.get("/orders", requiredScopes("orders:read"), (req, res) => {
  res.json({ orders: [`the first order of ${req.auth.payload.sub}`] });
});

const server = app.listen(PORT, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`http://127.0.0.1:${server.address().port}`);
});
