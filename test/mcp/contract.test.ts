import assert from "node:assert/strict";
import type { RequestListener, ServerResponse } from "node:http";
import { describe, test, type TestContext } from "node:test";
import { getRequestListener } from "@hono/node-server";
import type { McpAuthInfo, McpResource, McpResourceOptions } from "../../src/mcp/index.ts";
import { startEndpoint, type Endpoint } from "./fixture.ts";

/** What the application answers to a request. */
interface Answer {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the response stays open after `body`. */
  readonly isOpen?: boolean;
}

interface Seen {
  readonly authInfo: McpAuthInfo;
  readonly sessionId: string | undefined;
}

type Application = (seen: Seen) => Answer;

const forms: [name: string, (application: Application) => (mcp: McpResource) => RequestListener][] = [
  ["middleware on node:http", serveNode],
  ["a handler of web requests", serveWeb],
];

function serveNode(application: Application): (mcp: McpResource) => RequestListener {
  return (mcp) => (req, res) => {
    void mcp.middleware(req, res, () => {
      const { auth } = req as unknown as { auth: McpAuthInfo };
      const raw = req.rawHeaders.findIndex((name) => name.toLowerCase() === "mcp-session-id");
      const sessionId = req.headers["mcp-session-id"] as string | undefined;
      assert.equal(raw === -1 ? undefined : req.rawHeaders[raw + 1], sessionId);
      const { headers = {}, body, isOpen = false } = application({ authInfo: auth, sessionId });
      res.writeHead(200, headers);
      if (isOpen) keepWriting(res, body);
      else res.end(body);
    });
  };
}

/** Writes again in each turn, as a server does that does not know that its client has gone away. */
function keepWriting(res: ServerResponse, body: string): void {
  if (!res.writableNeedDrain) res.write(body);
  if (!res.closed) setImmediate(() => keepWriting(res, body));
}

function serveWeb(application: Application): (mcp: McpResource) => RequestListener {
  return (mcp) =>
    getRequestListener(
      mcp.protect((request, authInfo) => {
        const sessionId = request.headers.get("mcp-session-id") ?? undefined;
        const { headers = {}, body, isOpen = false } = application({ authInfo, sessionId });
        if (!isOpen) return new Response(body, { headers });
        const start = (controller: ReadableStreamDefaultController<Uint8Array>) =>
          controller.enqueue(new TextEncoder().encode(body));
        return new Response(new ReadableStream({ start }), { headers });
      }),
    );
}

const echo: Application = ({ authInfo }) => ({ body: authInfo.extra.subject });
const events: Application = () => ({
  headers: { "Content-Type": "text/event-stream" },
  body: "data: 1\n\n",
  isOpen: true,
});

/** Reads a stream to its end, which may be a broken connection. */
async function readToEnd(response: Response): Promise<string> {
  let text = "";
  try {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  } catch {}
  return text;
}

for (const [name, serve] of forms) {
  describe(`an MCP resource as ${name}`, () => {
    const start = async (
      t: TestContext,
      application: Application = echo,
      options: Partial<McpResourceOptions> = {},
    ) => await startEndpoint(t, serve(application), options);
    const ask = async ({ url }: Endpoint, token: string | null, headers: Record<string, string> = {}) =>
      await fetch(url, {
        headers: { ...headers, ...(token !== null && { authorization: `Bearer ${token}` }) },
      });

    test("serves its metadata to everybody, for pages of any origin", async (t) => {
      const metadata = { resource_name: "Orders" };
      const rules = { scopes: ["mcp:tools"] };
      const endpoint = await start(t, echo, { metadata, rules });
      const { origin, url, provider, mcp } = endpoint;
      assert.equal(mcp.metadataUrl, `${origin}/.well-known/oauth-protected-resource/mcp`);
      const response = await fetch(mcp.metadataUrl);
      assert.equal(response.headers.get("access-control-allow-origin"), "*");
      assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
      assert.deepEqual(await response.json(), {
        resource: url,
        authorization_servers: [provider.issuer],
        bearer_methods_supported: ["header"],
        scopes_supported: ["mcp:tools"],
        resource_name: "Orders",
      });
      const preflight = await fetch(mcp.metadataUrl, { method: "OPTIONS" });
      assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-headers")], [204, "*"]);
      assert.equal((await fetch(mcp.metadataUrl, { method: "POST" })).status, 405);
      assert.equal(await (await fetch(mcp.metadataUrl, { method: "HEAD" })).text(), "");
    });

    test("challenges with the metadata and the scopes, without an error for a request without a token", async (t) => {
      const endpoint = await start(t, echo, { rules: { scopes: ["mcp:tools"] } });
      const metadata = `resource_metadata="${endpoint.mcp.metadataUrl}"`;
      const none = await ask(endpoint, null);
      assert.equal(none.status, 401);
      assert.equal(
        none.headers.get("www-authenticate"),
        `Bearer realm="mcp", scope="mcp:tools", ${metadata}`,
      );
      const { provider } = endpoint;
      for (const token of [provider.token({ exp: 1 }), "nonsense"]) {
        const refused = await ask(endpoint, token);
        assert.equal(refused.status, 401);
        const challenge = `Bearer realm="mcp", error="invalid_token", scope="mcp:tools", ${metadata}`;
        assert.equal(refused.headers.get("www-authenticate"), challenge);
        assert.equal(refused.headers.get("cache-control"), "no-store");
      }
      const forbidden = await ask(endpoint, provider.token({ scope: "other" }));
      assert.equal(forbidden.status, 403);
      const challenge = `Bearer realm="mcp", error="insufficient_scope", scope="mcp:tools", ${metadata}`;
      assert.equal(forbidden.headers.get("www-authenticate"), challenge);
    });

    test("accepts tokens for its own resource only, even if the guard has other audiences", async (t) => {
      const other = "https://other.example";
      const endpoint = await startEndpoint(t, serve(echo), {}, { audience: null });
      const { provider, url } = endpoint;
      assert.equal((await ask(endpoint, provider.token({ aud: other }))).status, 401);
      assert.equal((await ask(endpoint, provider.token({ aud: `${url}/` }))).status, 401);
      assert.equal((await ask(endpoint, provider.token({ aud: [other, url] }))).status, 200);
      const inQuery = await fetch(`${url}?access_token=${provider.token()}`);
      assert.equal(inQuery.status, 401);
    });

    test("passes the authInfo of the SDK", async (t) => {
      const seen: McpAuthInfo[] = [];
      const endpoint = await start(t, ({ authInfo }) => {
        seen.push(authInfo);
        return { body: "" };
      });
      const { provider, url, clock } = endpoint;
      const token = provider.token({ sub: "alice", azp: "agent", scope: "a b" });
      await ask(endpoint, token);
      const [authInfo] = seen;
      assert.ok(authInfo !== undefined);
      const { extra, ...others } = authInfo;
      const expiresAt = Math.floor(clock.now() / 1000) + 600;
      const resource = new URL(url);
      assert.deepEqual(others, { token, clientId: "agent", scopes: ["a", "b"], expiresAt, resource });
      assert.deepEqual([extra.subject, extra.claims["azp"], extra.degraded], ["alice", "agent", null]);
    });

    test("law 1: an outage is 503 with Retry-After and without a challenge, so that no login starts", async (t) => {
      const endpoint = await start(t);
      endpoint.provider.fault("introspection", { status: 500 });
      const response = await ask(endpoint, endpoint.provider.token());
      assert.equal(response.status, 503);
      assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
      assert.equal(response.headers.get("www-authenticate"), null);
    });

    test("law 10: a degraded decision is declared, to the client and to the tools", async (t) => {
      const application: Application = ({ authInfo }) => ({ body: String(authInfo.extra.degraded) });
      const endpoint = await startEndpoint(t, serve(application), {}, { degraded: "local" });
      endpoint.provider.fault("introspection", { status: 500 });
      const response = await ask(endpoint, endpoint.provider.token());
      assert.equal(response.headers.get("x-auth-degraded"), "authority_unavailable");
      assert.equal(await response.text(), "authority_unavailable");
    });

    test("a session id is bound to its subject, and the server sees its own id", async (t) => {
      const seen: (string | undefined)[] = [];
      const endpoint = await start(t, ({ sessionId }) => {
        seen.push(sessionId);
        return { headers: { "Mcp-Session-Id": "session-1" }, body: "" };
      });
      const { provider } = endpoint;
      const alice = () => provider.token({ sub: "alice" });
      const bound = (await ask(endpoint, alice())).headers.get("mcp-session-id") ?? "";
      assert.match(bound, /^session-1\.[\w-]{22}$/);
      const again = await ask(endpoint, alice(), { "Mcp-Session-Id": bound });
      assert.equal(again.headers.get("mcp-session-id"), bound);
      const changed = bound.slice(0, -1) + (bound.endsWith("A") ? "B" : "A");
      const others = await start(t, () => ({ headers: { "Mcp-Session-Id": "session-1" }, body: "" }));
      const foreign = (await ask(others, others.provider.token({ sub: "alice" }))).headers.get(
        "mcp-session-id",
      );
      for (const [token, id] of [
        [provider.token({ sub: "mallory" }), bound],
        [alice(), "session-1"],
        [alice(), changed],
        [alice(), foreign ?? ""],
        [alice(), "x".repeat(5_000)],
      ] as const) {
        const refused = await ask(endpoint, token, { "Mcp-Session-Id": id });
        assert.equal(refused.status, 404);
        assert.deepEqual(await refused.json(), {
          jsonrpc: "2.0",
          error: { code: -32_001, message: "Session not found" },
          id: null,
        });
      }
      assert.deepEqual(seen, [undefined, "session-1"]);
    });

    test("processes with one secret share sessions", async (t) => {
      const sessionSecret = "a secret that is at least 32 bytes long";
      const application: Application = ({ sessionId }) => ({
        headers: { "Mcp-Session-Id": sessionId ?? "new" },
        body: "",
      });
      const [one, other] = [
        await start(t, application, { sessionSecret }),
        await start(t, application, { sessionSecret: Buffer.from(sessionSecret) }),
      ];
      const first = await ask(one, one.provider.token({ sub: "alice" }));
      const bound = first.headers.get("mcp-session-id") ?? "";
      const second = await ask(other, other.provider.token({ sub: "alice" }), { "Mcp-Session-Id": bound });
      assert.equal(one.provider.issuer, other.provider.issuer);
      assert.equal(second.status, 200);
    });

    test("law 3: an event stream ends when its token is revoked", async (t) => {
      const endpoint = await start(t, events);
      const { provider, clock, connections } = endpoint;
      const revoked = await ask(endpoint, provider.token({ sub: "alice", jti: "one" }));
      const kept = await ask(endpoint, provider.token({ sub: "bob" }));
      const reader = kept.body?.getReader();
      assert.equal(connections.status().open, 2);
      provider.revoke("one");
      const text = readToEnd(revoked);
      await clock.advance(400_000);
      assert.match(await text, /^data: 1/);
      assert.equal(connections.status().closed[4503], 1);
      assert.equal((await reader?.read())?.done, false);
      assert.equal(connections.status().open, 1);
      await reader?.cancel();
    });

    test("law 2: an event stream ends when its token expires, and a response that is none does not", async (t) => {
      const endpoint = await start(t, ({ authInfo }) =>
        authInfo.extra.subject === "stream" ? events({} as Seen) : { body: "1", isOpen: true },
      );
      const { provider, clock, connections } = endpoint;
      const stream = await ask(endpoint, provider.token({ sub: "stream" }));
      const other = await ask(endpoint, provider.token({ sub: "other" }));
      const reader = other.body?.getReader();
      const text = readToEnd(stream);
      await clock.advance(700_000);
      assert.match(await text, /^data: 1/);
      assert.deepEqual(connections.status().closed, { 4401: 1 });
      assert.equal((await reader?.read())?.done, false);
      await reader?.cancel();
    });

    test("a client that leaves is no open stream any more", async (t) => {
      const endpoint = await start(t, events);
      const leaving = new AbortController();
      const { url, provider, connections } = endpoint;
      const headers = { authorization: `Bearer ${provider.token()}` };
      await fetch(url, { headers, signal: leaving.signal });
      assert.equal(connections.status().open, 1);
      leaving.abort();
      while (connections.status().open > 0) await new Promise((resolve) => setImmediate(resolve));
    });

    test("law 6: a user with too many streams gets 429 with Retry-After", async (t) => {
      const endpoint = await startEndpoint(t, serve(events), {}, {}, { maxPerSubject: 1 });
      const token = endpoint.provider.token({ sub: "alice" });
      const first = await ask(endpoint, token);
      assert.equal(first.status, 200);
      const second = await ask(endpoint, token);
      assert.equal(second.status, 429);
      assert.match(second.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
      await first.body?.cancel();
    });

    test("a drain ends the streams, and new requests get 503", async (t) => {
      const endpoint = await start(t, events);
      const { provider, connections, clock } = endpoint;
      const stream = readToEnd(await ask(endpoint, provider.token()));
      const drained = connections.drain({ overMs: 0 });
      await clock.advance(50);
      await drained;
      assert.match(await stream, /^data: 1/);
      assert.equal((await ask(endpoint, provider.token())).status, 503);
    });
  });
}
