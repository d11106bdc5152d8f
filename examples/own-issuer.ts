import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createGuard, jwks, type Guard } from "holdfast";
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { mountIssuer } from "holdfast/node-http";

/** The claims of this issuer's tokens. */
export interface Claims {
  sub: string;
  tenant: string;
}

const people = new Map([
  ["alice", { password: "wonderland", scopes: ["orders:read"] }],
  ["bob", { password: "builder", scopes: [] }],
]);

/** Starts an auth service in this process, with its data in memory. Returns a guard for its tokens. */
export async function guardWithOwnIssuer(): Promise<Guard<Claims>> {
  const server = createServer().listen(Number(process.env["AUTH_PORT"] ?? 4180), "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = createIssuer({
    url,
    audience: "orders-api",
    store: memoryStore(),
    secret: crypto.randomUUID() + crypto.randomUUID(),
    authenticate({ username, password }) {
      const person = people.get(String(username));
      if (person === undefined || person.password !== password) return null;
      return { subject: String(username), scopes: person.scopes, claims: { tenant: "acme" } };
    },
  });
  server.on("request", mountIssuer(issuer));
  const guard = createGuard<Claims>({
    issuer: url,
    audience: "orders-api",
    keys: jwks(`${url}/.well-known/jwks.json`),
    revocations: issuer.revocations,
  });
  await guard.ready();
  console.log(`auth service: ${url}`);
  return guard;
}
