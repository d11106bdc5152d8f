import { once } from "node:events";
import { createServer } from "node:http";
import { createGuard, jwks } from "holdfast";
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { mountIssuer, protect } from "holdfast/node-http";
import { FakeClock } from "holdfast/testing";

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

/** Starts an auth service and an API. Their common clock moves only when a test moves it. */
export async function startServers() {
  const clock = new FakeClock();
  const state = { failure: null, refreshes: 0 };
  const auth = createServer();
  const id = await listen(auth);
  const issuer = createIssuer({
    url: id,
    audience: "orders-api",
    store: memoryStore({ clock }),
    secret: crypto.randomUUID() + crypto.randomUUID(),
    authenticate: ({ username, password }) =>
      username === "ann" && password === "wonderland" ? { subject: "ann", scopes: [] } : null,
    clock,
  });
  const answer = mountIssuer(issuer);
  auth.on("request", (req, res) => {
    if (req.url === "/auth/refresh") state.refreshes++;
    if (state.failure === null) answer(req, res);
    else res.writeHead(state.failure, { "retry-after": "1" }).end();
  });

  const keys = jwks(`${id}/.well-known/jwks.json`, { freshMs: 3_600_000 });
  const guard = createGuard({ issuer: id, audience: "orders-api", keys, clock });
  const greet = protect(guard, {}, (req, res) => res.end(`Hello ${req.auth.subject}`));
  const slow = Promise.withResolvers();
  const server = createServer((req, res) => {
    if (req.url === "/slow") void slow.promise.then(() => greet(req, res));
    else greet(req, res);
  });
  const api = await listen(server);
  return {
    id,
    api,
    /** `failure` is the status of every answer of the auth service, or `null`. */
    state,
    /** Lets every access token expire that was issued so far. */
    expireTokens: async () => await clock.advance(660_000),
    /** Lets the requests of `/slow` be answered. */
    answerSlow: () => slow.resolve(),
    async close() {
      auth.close();
      server.close();
      auth.closeAllConnections();
      server.closeAllConnections();
      await guard.close();
      await issuer.close();
    },
  };
}
