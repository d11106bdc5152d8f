import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test, type TestContext } from "node:test";
import * as v2 from "@modelcontextprotocol/client";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { getRequestListener } from "@hono/node-server";
import OidcProvider from "oidc-provider";
import { createGuard } from "../../src/index.ts";
import { createMcpResource, type McpResource } from "../../src/mcp/index.ts";
import { generateSigningKey } from "../../src/jwt/sign.ts";
import { asTransport, expressApp, listen } from "./fixture.ts";

const REDIRECT = "http://127.0.0.1:1/callback";

/** The members of `oidc-provider` that a login needs. The package has no types. */
interface LoginProvider {
  callback(): RequestListener;
  interactionDetails(...args: Parameters<RequestListener>): Promise<{
    readonly params: Readonly<Record<string, string>>;
    readonly prompt: { readonly name: string };
    readonly session?: { readonly accountId: string };
  }>;
  interactionFinished(req: unknown, res: unknown, result: object): Promise<void>;
  readonly Grant: new (properties: object) => {
    addOIDCScope(scope: string): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  };
}

/** Starts an authorization server with dynamic registration and resource indicators. Alice logs in without a form. */
async function startAuthorizationServer(t: TestContext): Promise<string> {
  const { origin, answerBy } = await listen(t);
  const { kid, key } = await generateSigningKey("ES256");
  const info = { scope: "mcp:tools", accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } };
  const provider = new OidcProvider(origin, {
    jwks: { keys: [{ ...key.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" }] },
    cookies: { keys: ["key-of-the-cookies"] },
    scopes: ["openid", "mcp:tools"],
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, audience: string) => ({ ...info, audience }),
      },
    },
  }) as unknown as LoginProvider;
  const interact = async (...[req, res]: Parameters<RequestListener>): Promise<void> => {
    const { params, prompt, session } = await provider.interactionDetails(req, res);
    if (prompt.name === "login") {
      return await provider.interactionFinished(req, res, { login: { accountId: "alice" } });
    }
    const grant = new provider.Grant({ accountId: session?.accountId, clientId: params["client_id"] });
    grant.addOIDCScope("mcp:tools");
    grant.addResourceScope(params["resource"] ?? "", "mcp:tools");
    return await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  };
  const handle = provider.callback();
  answerBy((req, res) => {
    if (req.url?.startsWith("/interaction/") === true) void interact(req, res);
    else handle(req, res);
  });
  return origin;
}

/** Follows the redirects of a login as a browser does. Returns the parameters of the last one. */
async function browse(
  url: URL,
  cookies = new Map<string, string>(),
  redirects = 10,
): Promise<URLSearchParams> {
  if (url.href.startsWith(REDIRECT)) return url.searchParams;
  assert.ok(redirects > 0, "the login does not end");
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const response = await fetch(url, { redirect: "manual", headers: { cookie } });
  for (const line of response.headers.getSetCookie()) {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    cookies.set(name, value);
  }
  const next = response.headers.get("location");
  assert.ok(next !== null, `${url.href} answered ${response.status}: ${await response.text()}`);
  return await browse(new URL(next, url), cookies, redirects - 1);
}

/** The memory of a client that has never logged in. */
function createAuthProvider() {
  const held: { login?: URL; client?: never; tokens?: never; verifier?: string; discovered?: never } = {};
  return {
    held,
    redirectUrl: REDIRECT,
    clientMetadata: {
      client_name: "agent",
      redirect_uris: [REDIRECT],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    clientInformation: () => held.client,
    saveClientInformation: (client: unknown) => void (held.client = client as never),
    tokens: () => held.tokens,
    saveTokens: (tokens: unknown) => void (held.tokens = tokens as never),
    redirectToAuthorization: (url: URL) => void (held.login = url),
    saveCodeVerifier: (verifier: string) => void (held.verifier = verifier),
    saveDiscoveryState: (state: unknown) => void (held.discovered = state as never),
    discoveryState: () => held.discovered,
    codeVerifier: () => held.verifier ?? "",
  };
}

/** Starts an MCP endpoint of an authorization server, and returns its URL. */
async function startResource(t: TestContext, serve: (mcp: McpResource) => RequestListener): Promise<string> {
  const issuer = await startAuthorizationServer(t);
  const { origin, answerBy } = await listen(t);
  const resource = `${origin}/mcp`;
  const guard = createGuard({ issuer, audience: resource });
  const mcp = createMcpResource({ guard, resource, rules: { scopes: ["mcp:tools"] } });
  t.after(async () => {
    await mcp.close();
    await guard.close();
  });
  answerBy(serve(mcp));
  return resource;
}

test("a client of the SDK finds the login by itself, and its token is for this resource", async (t) => {
  const resource = await startResource(t, expressApp);
  const authProvider = createAuthProvider();
  const connect = () => new StreamableHTTPClientTransport(new URL(resource), { authProvider });
  const first = connect();
  await assert.rejects(
    new Client({ name: "agent", version: "1" }).connect(asTransport(first)),
    UnauthorizedError,
  );
  const { login } = authProvider.held;
  assert.equal(login?.searchParams.get("resource"), resource);
  assert.equal(login.searchParams.get("scope"), "mcp:tools");
  await first.finishAuth((await browse(login)).get("code") ?? "");

  const client = new Client({ name: "agent", version: "1" });
  await client.connect(asTransport(connect()));
  t.after(async () => await client.close());
  const { content } = await client.callTool({ name: "whoami" });
  assert.match(JSON.stringify(content), /alice by [\w-]+/);
});

/** The handler of the newer SDK, which takes web requests. */
function serveV2(mcp: McpResource): RequestListener {
  const handler = createMcpHandler(({ authInfo }) => {
    const server = new McpServer({ name: "tools", version: "1.0.0" });
    server.registerTool("whoami", { description: "Names the user of the token." }, () => ({
      content: [{ type: "text", text: String(authInfo?.extra?.["subject"]) }],
    }));
    return server;
  });
  const listener = getRequestListener(
    mcp.protect(async (request, authInfo) => await handler.fetch(request, { authInfo })),
  );
  return (req, res) => void listener(req, res);
}

test("a client of the newer SDK logs in to a server of web requests", async (t) => {
  const resource = await startResource(t, serveV2);
  const authProvider = createAuthProvider();
  const connect = () => new v2.StreamableHTTPClientTransport(new URL(resource), { authProvider });
  const first = connect();
  await assert.rejects(new v2.Client({ name: "agent", version: "1" }).connect(first), v2.UnauthorizedError);
  const { login } = authProvider.held;
  assert.equal(login?.searchParams.get("resource"), resource);
  await first.finishAuth(await browse(login));

  const client = new v2.Client({ name: "agent", version: "1" });
  await client.connect(connect());
  t.after(async () => await client.close());
  const { content } = await client.callTool({ name: "whoami" });
  assert.match(JSON.stringify(content), /alice/);
});
