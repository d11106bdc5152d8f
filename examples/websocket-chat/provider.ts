import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { mountIssuer } from "holdfast/node-http";

/** The lifetime of a token. A shorter one would expire during the outage that the example shows. */
export const TOKEN_MS = 300_000;

const passwords = new Map([
  ["alice", "wonderland"],
  ["bob", "builder"],
]);

export interface Provider {
  readonly url: string;
  readonly audience: string;
  /** The credentials of the chat server. */
  readonly client: { clientId: string; clientSecret: string };
  /** The accounts, as `name / password`. */
  readonly accounts: readonly string[];
  readonly isPluggedIn: () => boolean;
  readonly plugIn: () => Promise<void>;
  /** Stops the provider. Connections to it are refused. */
  readonly pullPlug: () => Promise<void>;
  /** Revokes every session of a user. */
  readonly revoke: (name: string) => Promise<void>;
}

/** Starts an auth service with a plug. The chat server and its page know only its address. */
export async function startProvider(port: number, pageOrigin: string): Promise<Provider> {
  const server = createServer();
  const listen = async (at: number) => {
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const bound = await listen(port);
  const url = `http://127.0.0.1:${bound}`;
  const audience = "chat";
  const client = { clientId: "chat-server", clientSecret: crypto.randomUUID() };
  const issuer = createIssuer({
    url,
    audience,
    store: memoryStore(),
    secret: crypto.randomUUID() + crypto.randomUUID(),
    clients: [{ id: client.clientId, secret: client.clientSecret }],
    corsOrigins: [pageOrigin],
    accessTokenTtlMs: TOKEN_MS,
    authenticate({ username, password }) {
      const name = String(username);
      return passwords.has(name) && passwords.get(name) === password
        ? { subject: name, scopes: ["chat"] }
        : null;
    },
  });
  server.on("request", mountIssuer(issuer));
  return {
    url,
    audience,
    client,
    accounts: [...passwords].map(([name, password]) => `${name} / ${password}`),
    isPluggedIn: () => server.listening,
    plugIn: async () => {
      if (!server.listening) await listen(bound);
    },
    pullPlug: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
    revoke: async (id) => await issuer.revoke({ kind: "subject", id }),
  };
}
