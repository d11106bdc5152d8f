import { createGuard, jwks } from "holdfast";

const origin = process.env.NEXT_PUBLIC_ORIGIN;
const service = `http://127.0.0.1:${process.env.AUTH_PORT ?? 4180}`;

/** The guard of all route handlers. */
export const guard = createGuard({
  issuer: origin,
  audience: origin,
  keys: jwks(`${service}/.well-known/jwks.json`),
});

/** The rules of a route that reads the cookie of the session. Pages of other origins are refused. */
export const fromCookie = { tokenFrom: { cookie: { name: "__Host-hf_at", origins: [origin] } } };
