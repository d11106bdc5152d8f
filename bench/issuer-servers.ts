import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OidcProvider from "oidc-provider";
import { mountIssuer } from "../src/adapters/node-http.ts";
import { createIssuer } from "../src/issuer/create-issuer.ts";
import { memoryStore } from "../src/stores/memory.ts";
import { sqliteStore } from "../src/stores/sqlite.ts";
import type { Store } from "../src/stores/store.ts";
import { issuer as url } from "./claims.ts";
import { IN_FLIGHT, reportServer, type ServerAddress } from "./server-process.ts";

export interface IssuerMode {
  readonly kind: "204" | "issuer" | "oidc-provider";
  readonly store?: "memory" | "sqlite";
}

export interface IssuerAddress extends ServerAddress {
  /** An access token that the server introspects. */
  readonly accessToken: string;
  /** A refresh token for each worker. */
  readonly refreshTokens: readonly string[];
}

export const client: { readonly id: string; readonly secret: string } = {
  id: "orders-service",
  secret: "s".repeat(32),
};

type Tokens = Omit<IssuerAddress, "port">;

async function openStore(kind: IssuerMode["store"]): Promise<Store> {
  if (kind !== "sqlite") return memoryStore();
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return await sqliteStore({ file: join(folder, "bench.db") });
}

/** The login of an application with its own users, so that no password is hashed. */
async function createOurs(store: IssuerMode["store"]): Promise<[RequestListener, Tokens]> {
  const issuer = createIssuer({
    url,
    audience: "https://api.example.com",
    store: await openStore(store),
    secret: "k".repeat(64),
    clients: [{ ...client, scopes: ["orders:read"] }],
    authenticate: async ({ username }) => ({ subject: String(username), scopes: ["orders:read"] }),
  });
  await issuer.ready();
  const logins = await Promise.all(
    Array.from(
      { length: IN_FLIGHT },
      async (_, i) => await issuer.beginSession({ subject: `worker-${i}`, scopes: ["orders:read"] }),
    ),
  );
  const tokens = logins.flatMap((login) => (login.status === "ok" ? [login.tokens] : []));
  const refreshTokens = tokens.map((one) => one.refresh_token);
  return [mountIssuer(issuer), { accessToken: tokens[0]?.access_token ?? "", refreshTokens }];
}

/** Tokens of node-oidc-provider are opaque by default, so it signs and verifies nothing. Its store is a `Map`. */
async function createPeer(): Promise<[RequestListener, Tokens]> {
  const provider = new OidcProvider("http://127.0.0.1", {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      introspection: { enabled: true, allowedPolicy: () => true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
    },
    ttl: { ClientCredentials: 3_600 },
  });
  const handle = provider.callback();
  return [(req, res) => void handle(req, res), { accessToken: "", refreshTokens: [] }];
}

const bare: RequestListener = (_, res) => res.writeHead(204).end();

export async function serveIssuer({ kind, store }: IssuerMode): Promise<void> {
  const none: Tokens = { accessToken: "", refreshTokens: [] };
  const [listener, tokens] =
    kind === "204" ? [bare, none] : await (kind === "issuer" ? createOurs(store) : createPeer());
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  reportServer({ port: (server.address() as AddressInfo).port, ...tokens });
}
