import { createGuard, jwks } from "holdfast";
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { World } from "holdfast/testing/simulation";

const issuer = "https://auth.example.com";
const audience = "https://api.example.com";

/** Two processes that crash, and a user. Resolves with what the user saw. */
export async function simulate(seed: number): Promise<World> {
  const world = new World({ seed });
  const store = memoryStore({ clock: world.clock }); // a database that never crashes
  world.network.conditions.drop = 0.01;

  const auth = world.process("auth", ({ clock, random, listen }) => {
    const service = createIssuer({
      url: issuer,
      audience,
      store,
      secret: "simulated".repeat(4),
      algorithm: "EdDSA",
      authenticate: async () => ({ subject: "ann", scopes: [], claims: {} }),
      clock,
      random,
    });
    listen("auth.example.com", (request) => service.fetch(request));
  });

  const api = world.process("api", ({ clock, random, fetch, listen, life }) => {
    const keys = jwks(`${issuer}/.well-known/jwks.json`, { fetch });
    const name = `api ${life}`; // each start makes another guard
    const guard = createGuard({ issuer, audience, keys, clock, random, name, warnings: false });
    listen("api.example.com", async (request) => {
      const token = request.headers.get("authorization")?.slice(7) ?? "";
      const { status } = await guard.validate(token);
      return new Response(null, { status: { valid: 200, invalid: 401, unavailable: 503 }[status] });
    });
  });

  world.process("user", async ({ fetch, sleep }) => {
    const ask = async (url: string, init: RequestInit) =>
      await fetch(url, { ...init, signal: AbortSignal.timeout(3_000) }).catch(() => null);
    for (;;) {
      const headers = { "content-type": "application/json" };
      const login = await ask(`${issuer}/auth/login`, { method: "POST", headers, body: "{}" });
      if (login?.status === 200) {
        const { access_token: token } = (await login.json()) as { access_token: string };
        const answer = await ask("https://api.example.com/", {
          headers: { authorization: `Bearer ${token}` },
        });
        world.record("answer", { status: answer?.status ?? 0 });
      }
      await sleep(5_000);
    }
  });

  const crash = () => {
    const process = world.random() < 0.5 ? auth : api;
    process.crash();
    world.after(10_000 * world.random(), () => process.start());
    world.after(60_000 * world.random(), crash);
  };
  world.after(1_000, crash);
  await world.run(600_000);
  return world;
}
