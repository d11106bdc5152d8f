import { createGuard, jwks } from "../../../src/index.ts";
import { createIssuer } from "../../../src/issuer/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { AuthServer, ServerOptions } from "./auth-server.ts";
import { bearerOf } from "./session-book.ts";

/** The issuer of Holdfast with its defaults, and its guard in front of the API. */
export function holdfastServer({ url, page, clock, lifeMs, expiresIn }: ServerOptions): AuthServer {
  const audience = "https://api.example.com";
  const store = memoryStore({ clock });
  const issuer = createIssuer({
    url,
    audience,
    store,
    secret: "a secret of the bench with more than 32 bytes",
    authenticate: ({ username }) => ({ subject: String(username), scopes: [] }),
    corsOrigins: [page],
    accessTokenTtlMs: lifeMs,
    clock,
  });
  const guard = createGuard({
    issuer: url,
    audience,
    keys: jwks(`${url}/.well-known/jwks.json`, {
      fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
    }),
    clock,
  });
  const subjects = new Set<string>();
  return {
    async fetch(request) {
      const login = new URL(request.url).pathname === "/auth/login" && request.method === "POST";
      if (login) subjects.add(String(((await request.clone().json()) as { username: unknown }).username));
      const response = await issuer.fetch(request);
      if (
        expiresIn === undefined ||
        !response.ok ||
        !response.headers.get("content-type")?.includes("json")
      ) {
        return response;
      }
      const body = (await response.json()) as object;
      if (!("expires_in" in body)) return Response.json(body, { headers: response.headers });
      return Response.json({ ...body, expires_in: expiresIn }, { headers: response.headers });
    },
    isRefresh: ({ path, method }) => method === "POST" && path === "/auth/refresh",
    admits: async (request) => (await guard.validate(bearerOf(request))).status === "valid",
    async liveSessions() {
      const lists = [...subjects].map(
        async (subject) => (await issuer.sessions.list(subject)).sessions.length,
      );
      return (await Promise.all(lists)).reduce((sum, count) => sum + count, 0);
    },
    async endAll() {
      for (const id of subjects) await issuer.sessions.endAll(id);
    },
    async close() {
      await guard.close();
      await issuer.close();
    },
  };
}
