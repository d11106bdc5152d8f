/**
 * Measures an answer from the shared cache. The floor is one GET of a value of the same length, with the same client
 * library from the same server. The tokens are opaque, so no signature is verified. Nothing is remembered, so every call
 * reads the entry from Redis, opens and checks it, and decides. The network and HTTP are left out.
 */
import { createClient } from "redis";
import { createGuard, introspection } from "../src/index.ts";
import { redisAnswers } from "../src/stores/redis.ts";
import { RedisServer, waitUntil } from "../test/support/redis-servers.ts";
import { inFlight } from "./in-flight.ts";
import { measure, report } from "./measure.ts";

const TOKENS = 1_000;
const ISSUER = "https://id.example.com";
const AUDIENCE = "https://api.example.com";
const ANSWER = {
  active: true,
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "5f2b8c1e-7d44-4b7e-9a51-0f5d3c2b1a00",
  client_id: "web-application",
  username: "alice@example.com",
  scope: "orders:read orders:write profile email",
  token_type: "Bearer",
  iat: 1_700_000_000,
  exp: 4_000_000_000,
  roles: ["customer", "beta"],
};

const server = await RedisServer.start(["appendfsync everysec"]);
const guard = createGuard({
  issuer: ISSUER,
  audience: AUDIENCE,
  authority: introspection({
    url: `${ISSUER}/introspect`,
    clientId: "bench",
    clientSecret: "secret-of-the-bench",
    opaque: true,
    fetch: async (_url, init) => {
      const token = new URLSearchParams(init?.body as string).get("token") ?? "";
      return await Promise.resolve(Response.json(token.startsWith("token-") ? ANSWER : { active: false }));
    },
  }),
  memory: { maxBytes: 1 },
  // A round on a busy machine is slow. It must not miss the deadline and ask the authority.
  shared: redisAnswers({
    url: server.url,
    timeoutMs: 5_000,
    secret: "a secret of the benchmark and nothing else",
  }),
});
const tokens = Array.from({ length: TOKENS }, (_, i) => `token-${"x".repeat(30)}-${i}`);

async function from(token: string): Promise<string> {
  const verdict = await guard.validate(token);
  return verdict.status === "valid" ? verdict.from : verdict.status;
}

await waitUntil(async () => guard.status().shared?.lastError === null, "a connection");
for (const token of tokens)
  await waitUntil(async () => (await from(token)) === "shared", "an answer that is shared");

const client = createClient({ url: server.url, RESP: 2, commandOptions: { timeout: 0 } });
await client.connect();
const keys = await client.keys("holdfast:{answer:*");

let turn = 0;
async function get(): Promise<void> {
  if ((await client.get(keys[turn++ % keys.length] ?? "")) === null) throw new Error("nothing there");
}
async function hit(): Promise<void> {
  const found = await from(tokens[turn++ % TOKENS] ?? "");
  if (found !== "shared") throw new Error(found);
}

try {
  const measurements = [];
  // Short rounds alone would measure the compilation of the code.
  for (const work of [get, hit]) await inFlight(64, "", work).run(30_000);
  for (const callers of [1, 8, 64]) {
    measurements.push(
      await measure(`an answer from Redis, ${callers} in flight`, [
        inFlight(callers, "GET", get),
        inFlight(callers, "shared hit", hit, 1 / 0.9),
      ]),
    );
  }
  report(measurements);
} finally {
  await guard.close();
  client.destroy();
  await server.stop();
}
