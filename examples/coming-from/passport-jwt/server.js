import express from "express";
import jwksRsa from "jwks-rsa";
import passport from "passport";
import { ExtractJwt, Strategy } from "passport-jwt";

const { ISSUER, AUDIENCE, KEYS_URL, PORT = "3000" } = process.env;
const app = express();

passport.use(
  new Strategy(
    {
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: jwksRsa.passportJwtSecret({
        jwksUri: KEYS_URL,
        cache: true,
        rateLimit: true,
      }),
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ["RS256"],
    },
    (payload, done) => done(null, { id: payload.sub, scopes: payload.scope?.split(" ") ?? [] }),
  ),
);

function requireScope(scope) {
  return (req, res, next) => {
    if (req.user.scopes.includes(scope)) next();
    else res.status(403).json({ error: "scope missing" });
  };
}

app.use(passport.authenticate("jwt", { session: false }));
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
