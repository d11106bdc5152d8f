import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import {
  StreamableHTTPClientTransport,
  StreamableHTTPError,
} from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { asTransport, expressApp, startEndpoint } from "./fixture.ts";

/** A client of the official SDK, whose token can be replaced. */
function createClient(url: string, token: string) {
  const held = { token };
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: async (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set("authorization", `Bearer ${held.token}`);
      return await fetch(input, { ...init, headers });
    },
    reconnectionOptions: {
      initialReconnectionDelay: 1,
      maxReconnectionDelay: 1,
      reconnectionDelayGrowFactor: 1,
      maxRetries: 0,
    },
  });
  const client = new Client({ name: "agent", version: "1.0.0" });
  const whoami = async () => {
    const { content } = await client.callTool({ name: "whoami" });
    return (content as { text: string }[])[0]?.text;
  };
  return {
    client,
    transport,
    held,
    whoami,
    connect: async () => await client.connect(asTransport(transport)),
  };
}

const failsWith = (code: number) => (error: unknown) =>
  error instanceof StreamableHTTPError && error.code === code;

test("a client and a server of the official SDK work through the middleware, with sessions", async (t) => {
  const { url, provider } = await startEndpoint(t, expressApp);
  const agent = createClient(url, provider.token({ sub: "alice", client_id: "agent" }));
  await agent.connect();
  t.after(async () => await agent.client.close());
  assert.match(agent.transport.sessionId ?? "", /^[0-9a-f-]{36}\.[\w-]{22}$/);
  assert.equal(await agent.whoami(), "alice by agent");
  agent.held.token = provider.token({ sub: "alice", client_id: "other-device" });
  assert.equal(await agent.whoami(), "alice by other-device");
});

test("a session is refused to another subject as if it did not exist", async (t) => {
  const { url, provider } = await startEndpoint(t, expressApp);
  const agent = createClient(url, provider.token({ sub: "alice" }));
  await agent.connect();
  t.after(async () => await agent.client.close());
  agent.held.token = provider.token({ sub: "mallory" });
  await assert.rejects(agent.whoami(), failsWith(404));
  agent.held.token = provider.token({ sub: "alice" });
  assert.match((await agent.whoami()) ?? "", /^alice/);
});

test("law 1: an outage is 503 for the client of the SDK, and it calls its tool afterwards", async (t) => {
  const { url, provider, clock } = await startEndpoint(t, expressApp);
  const agent = createClient(url, provider.token({ sub: "alice" }));
  await agent.connect();
  t.after(async () => await agent.client.close());
  provider.fault("introspection", { status: 500 });
  agent.held.token = provider.token({ sub: "alice" });
  await assert.rejects(agent.whoami(), failsWith(503));
  provider.restore();
  await clock.advance(60_000);
  assert.match((await agent.whoami()) ?? "", /^alice/);
});

test("law 3: the event stream of the SDK ends when the token is revoked, and the next call is 401", async (t) => {
  const { url, provider, clock, connections } = await startEndpoint(t, expressApp);
  const agent = createClient(url, provider.token({ sub: "alice", jti: "one" }));
  const ended = Promise.withResolvers<void>();
  Object.assign(agent.transport, { onerror: () => ended.resolve() });
  await agent.connect();
  t.after(async () => await agent.client.close());
  assert.equal(await agent.whoami(), "alice by ");
  while (connections.status().open < 1) await new Promise((resolve) => setImmediate(resolve));
  provider.revoke("one");
  await clock.advance(400_000); // The authority is asked again after 300 s, ± 25 %.
  await ended.promise;
  assert.equal(connections.status().open, 0);
  await assert.rejects(agent.whoami(), failsWith(401));
});

test("law 2: the event stream of the SDK ends when the token expires", async (t) => {
  const { url, provider, clock, connections } = await startEndpoint(t, expressApp);
  const agent = createClient(url, provider.token({ sub: "alice" }));
  const ended = Promise.withResolvers<void>();
  Object.assign(agent.transport, { onerror: () => ended.resolve() });
  await agent.connect();
  t.after(async () => await agent.client.close());
  while (connections.status().open < 1) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(700_000);
  await ended.promise;
  assert.equal(connections.status().closed[4401], 1);
  await assert.rejects(agent.whoami(), failsWith(401));
});
