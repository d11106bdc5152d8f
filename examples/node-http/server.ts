import { createServer } from "node:http";
import { createGuard, jwks } from "holdfast";
import { protect } from "holdfast/node-http";
import { sqliteStore } from "holdfast/sqlite";

const issuer = "http://127.0.0.1:4180"; // The service that `npm start` runs.
const { revocations } = await sqliteStore({ file: "holdfast-data/holdfast.db" }); // The service on this machine writes this file.
const guard = createGuard({
  issuer,
  audience: issuer,
  keys: jwks(`${issuer}/.well-known/jwks.json`),
  revocations,
});
await guard.ready();

const hello = protect(guard, {}, (req, res) => {
  res.end(`Hello ${req.auth.subject}, your scopes are ${req.auth.scopes.join(" ")}\n`);
});
const orders = protect(guard, { scopes: ["orders:read"] }, (_, res) => {
  res.end("No orders yet\n");
});

createServer((req, res) => {
  if (req.url === "/orders") orders(req, res);
  else hello(req, res);
}).listen(3000, "127.0.0.1", () => console.log("http://127.0.0.1:3000"));
