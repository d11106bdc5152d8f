import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import express from "express";
import { createConnections, type Connections, type ConnectionsOptions } from "../../src/connections/index.ts";
import { createGuard, introspection, jwks, type Guard, type GuardOptions } from "../../src/index.ts";
import { createMcpResource, type McpResource, type McpResourceOptions } from "../../src/mcp/index.ts";
import { createProvider, FakeClock, type Provider } from "../../src/testing/index.ts";

/** An MCP endpoint, its guard, and the provider of its tokens. */
export interface Endpoint {
  readonly url: string;
  readonly origin: string;
  readonly provider: Provider;
  readonly clock: FakeClock;
  readonly guard: Guard;
  readonly connections: Connections;
  readonly mcp: McpResource;
}

/** Starts a server whose listener is set later, because its address is part of the configuration. */
export async function listen(
  t: TestContext,
): Promise<{ origin: string; answerBy: (listener: RequestListener) => void }> {
  let answer: RequestListener = (_req, res) => void res.writeHead(503).end();
  const server = createServer((req, res) => answer(req, res)).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, answerBy: (listener) => (answer = listener) };
}

/** Serves an MCP endpoint with `serve`, which gets the resource server. The clock stands still. */
export async function startEndpoint(
  t: TestContext,
  serve: (mcp: McpResource) => RequestListener,
  options: Partial<McpResourceOptions> = {},
  guardOptions: Partial<GuardOptions> = {},
  connectionsOptions: Partial<ConnectionsOptions> = {},
): Promise<Endpoint> {
  const { origin, answerBy } = await listen(t);
  const url = `${origin}/mcp`;
  const clock = new FakeClock(Date.now());
  const provider = await createProvider({ audience: url, clock });
  const { clientId, clientSecret, fetch, issuer } = provider;
  const guard = createGuard({
    issuer,
    audience: url,
    keys: jwks(provider.url("jwks"), { fetch }),
    authority: introspection({ url: provider.url("introspection"), clientId, clientSecret, fetch }),
    clock,
    ...guardOptions,
  } as GuardOptions);
  const connections = createConnections({ guard, clock, random: () => 0.5, ...connectionsOptions });
  const mcp = createMcpResource({ guard, resource: url, connections, ...options });
  t.after(async () => {
    await mcp.close();
    await connections.close();
    await guard.close();
  });
  await guard.ready();
  provider.resetCounts();
  answerBy(serve(mcp));
  return { url, origin, provider, clock, guard, connections, mcp };
}

/** The transport of the SDK fits its own interface only without `exactOptionalPropertyTypes`. */
export const asTransport = (transport: object): Transport => transport as Transport;

function createTools(): McpServer {
  const server = new McpServer({ name: "tools", version: "1.0.0" });
  server.registerTool("whoami", { description: "Names the user of the token." }, ({ authInfo }) => ({
    content: [{ type: "text", text: `${String(authInfo?.extra?.["subject"])} by ${authInfo?.clientId}` }],
  }));
  return server;
}

/** An application on Express with the official SDK and its sessions. */
export function expressApp(mcp: Pick<McpResource, "middleware">): express.Express {
  const transports = new Map<unknown, StreamableHTTPServerTransport>();
  const app = express();
  app.use(mcp.middleware);
  app.use(express.json());
  app.all("/mcp", async (req, res) => {
    let transport = transports.get(req.headers["mcp-session-id"]);
    if (transport === undefined) {
      const created = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => void transports.set(id, created),
      });
      await createTools().connect(asTransport(created));
      transport = created;
    }
    // Both the SDK and `holdfast/express` extend the request of Express with `auth`, and this file loads both.
    const message: IncomingMessage = req;
    await transport.handleRequest(message, res, req.body);
  });
  return app;
}
