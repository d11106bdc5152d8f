import express from "express";
import jwt from "jsonwebtoken";
import jwksRsa from "jwks-rsa";

const { ISSUER, AUDIENCE, KEYS_URL, PORT = "3000" } = process.env;
const app = express();

const client = jwksRsa({ jwksUri: KEYS_URL, cache: true, rateLimit: true });

function getKey(header, callback) {
  client.getSigningKey(header.kid, (error, key) => callback(error, key?.getPublicKey()));
}

function authenticate(req, res, next) {
  const [scheme, token] = req.headers.authorization?.split(" ") ?? [];
  if (scheme !== "Bearer" || !token) {
    res.status(401).json({ error: "token missing" });
    return;
  }
  const options = { issuer: ISSUER, audience: AUDIENCE, algorithms: ["RS256"] };
  jwt.verify(token, getKey, options, (error, payload) => {
    if (error) {
      res.status(401).json({ error: "invalid or expired token" });
      return;
    }
    req.user = { id: payload.sub, scopes: payload.scope?.split(" ") ?? [] };
    next();
  });
}

function requireScope(scope) {
  return (req, res, next) => {
    if (req.user.scopes.includes(scope)) next();
    else res.status(403).json({ error: "scope missing" });
  };
}

app.use(authenticate);
app.get("/me", (req, res) => {
  res.json({ user: req.user.id });
});
app.get("/orders", requireScope("orders:read"), (req, res) => {
  res.json({ orders: [`the first order of ${req.user.id}`] });
});

const server = app.listen(PORT, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`http://127.0.0.1:${server.address().port}`);
});
