/**
 * The service on a slow store. Each command waits up to SOAK_LATENCY_MS before and after its effect. The store is Redis
 * when REDIS_URL is set, and otherwise the SQLite file in HOLDFAST_DATA_DIR.
 */
import { createServer } from "node:http";
import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { protect } from "../../src/adapters/node-http.ts";
import { createGuard } from "../../src/guard/create-guard.ts";
import { jwks } from "../../src/guard/keys/jwks.ts";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import { toRequestListener } from "../../src/server/http/request-listener.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { wrapStore } from "../issuer/stores.ts";

const { REDIS_URL, HOLDFAST_DATA_DIR = "", HOLDFAST_URL: url = "", SOAK_LATENCY_MS = "0" } = process.env;

const latencyMs = Number(SOAK_LATENCY_MS);
const wait = async () => void (latencyMs > 0 && (await pause(Math.random() * latencyMs)));

async function open() {
  if (REDIS_URL !== undefined) return await redisStore({ url: REDIS_URL });
  await mkdir(HOLDFAST_DATA_DIR, { recursive: true });
  return await sqliteStore({ file: join(HOLDFAST_DATA_DIR, "holdfast.db") });
}

const store = await open();
const slow = wrapStore(store, async (_, call) => {
  await wait();
  const answer = await call();
  await wait();
  return answer;
});
const issuer = createIssuer({
  url,
  audience: url,
  store: slow,
  secret: "a secret that all services of a soak have in common",
  authenticate: ({ username }) => ({ subject: String(username), scopes: [] }),
});
await issuer.ready();
const guard = createGuard({
  issuer: url,
  audience: url,
  keys: jwks("http://localhost/.well-known/jwks.json", {
    fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
  }),
  revocations: issuer.revocations,
});
await guard.ready();

const verify = protect(guard, {}, (_, res) => res.writeHead(200).end());
const others = toRequestListener(async (request) => await issuer.fetch(request));
const server = createServer((req, res): unknown =>
  req.url === "/verify" ? verify(req, res) : others(req, res),
);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`http://127.0.0.1:${port} (no admin listener: http://127.0.0.1:${port})`);
});
process.once("SIGTERM", () => process.exit(0));
