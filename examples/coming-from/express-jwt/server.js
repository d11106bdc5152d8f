import express from "express";
import { expressjwt } from "express-jwt";
import jwksRsa from "jwks-rsa";

const { ISSUER, AUDIENCE, KEYS_URL, PORT = "3000" } = process.env;
const app = express();

app.use(
  expressjwt({
    secret: jwksRsa.expressJwtSecret({
      jwksUri: KEYS_URL,
      cache: true,
      rateLimit: true,
    }),
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: ["RS256"],
  }),
);

function requireScope(scope) {
  return (req, res, next) => {
    if (req.auth.scope?.split(" ").includes(scope)) next();
    else res.status(403).json({ error: "insufficient_scope" });
  };
}

app.get("/me", (req, res) => {
  res.json({ user: req.auth.sub });
});
app.get("/orders", requireScope("orders:read"), (req, res) => {
  res.json({ orders: [`the first order of ${req.auth.sub}`] });
});

app.use((error, req, res, next) => {
  if (error.name === "UnauthorizedError") res.status(error.status).json({ error: error.code });
  else next(error);
});

const server = app.listen(PORT, "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`http://127.0.0.1:${server.address().port}`);
});
