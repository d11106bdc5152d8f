import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { buildSchema } from "graphql";
import { createClient, type Client } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { WebSocket, WebSocketServer } from "ws";
import {
  protect,
  type ConnectedRequest,
  type GraphqlProtectOptions,
} from "../../../src/adapters/graphql-ws.ts";
import { protect as protectWs } from "../../../src/adapters/ws.ts";
import { setUp, type Fixture } from "../../connections/fixture.ts";
import { startUpgradeServer } from "./upgrade-server.ts";

const schema = buildSchema("type Query { me: String } type Subscription { tick: String }");

interface Context {
  readonly auth: ConnectedRequest["auth"];
}

/** Serves a schema whose subscription sends the subject, and then again for each call of `tick`. */
async function serve(
  t: TestContext,
  { connections }: Fixture,
  options: GraphqlProtectOptions = {},
  adapter: typeof protect = protect,
): Promise<{ url: string; tick: () => void }> {
  const wss = new WebSocketServer({ noServer: true });
  let tick = () => {};
  const next = async () => await new Promise<void>((resolve) => (tick = resolve));
  const roots = {
    query: { me: (_: object, { auth }: Context) => auth.auth?.subject },
    subscription: {
      async *tick(_: object, { auth }: Context) {
        for (;;) {
          yield { tick: auth.auth?.subject };
          await next();
        }
      },
    },
  };
  const context = ({ extra }: { extra: { request: unknown } }): Context & Record<string, unknown> => ({
    auth: (extra.request as ConnectedRequest).auth,
  });
  useServer({ schema, roots, context }, wss);
  const url = await startUpgradeServer(t, wss, adapter(connections, options, wss));
  return { url, tick: () => tick() };
}

function connect(t: TestContext, url: string, params: () => Record<string, unknown>) {
  const closings = new EventTarget();
  const codes: number[] = [];
  const client = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: params,
    retryAttempts: 3,
    retryWait: async () => {},
    on: {
      closed(event) {
        codes.push((event as { code: number }).code);
        closings.dispatchEvent(new Event("closed"));
      },
    },
  });
  t.after(() => client.terminate());
  return { client, codes };
}

async function me(client: Client): Promise<unknown> {
  for await (const { data } of client.iterate({ query: "{ me }" })) return data?.["me"];
  return null;
}

test("a client of graphql-ws sends its token in connectionParams", async (t) => {
  const fixture = await setUp();
  const { url } = await serve(t, fixture, { scopes: ["orders"] });
  const token = fixture.mint.token({ sub: "alice", scope: "orders" });
  for (const params of [
    { authorization: `Bearer ${token}` },
    { Authorization: `bearer ${token}` },
    { token },
    { headers: { Authorization: `Bearer ${token}` } },
  ]) {
    const { client } = connect(t, url, () => params);
    assert.equal(await me(client), "alice");
  }
});

test("a client without a token, and one with a wrong token, end with the codes of their protocol", async (t) => {
  const fixture = await setUp();
  const { url } = await serve(t, fixture, { scopes: ["orders"] });
  const wrong: [params: Record<string, unknown>, code: number][] = [
    [{ token: "nonsense" }, 4401],
    [{ token: fixture.mint.token({ scope: "other" }) }, 4401],
    [{ authorization: "Basic abc" }, 4408],
    [{}, 4408],
  ];
  for (const [params, code] of wrong) {
    const { client, codes } = connect(t, url, () => params);
    await assert.rejects(me(client), (error: { code?: number }) => error.code === code);
    // The client does not repeat a final refusal.
    assert.equal(codes.length, code === 4401 ? 1 : 4);
  }
});

test("a client comes back with new parameters after its token expired", async (t) => {
  const fixture = await setUp();
  const { url } = await serve(t, fixture);
  let count = 0;
  const { client, codes } = connect(t, url, () => ({
    token: fixture.mint.token({ sub: `user ${++count}` }),
  }));
  const subjects: unknown[] = [];
  for await (const { data } of client.iterate({ query: "subscription { tick }" })) {
    subjects.push(data?.["tick"]);
    if (subjects.length === 2) break;
    await fixture.clock.advance(700_000);
  }
  assert.deepEqual(subjects, ["user 1", "user 2"]);
  assert.equal(codes[0], 4403);
});

test("a ping with a newer token keeps the subscription alive", async (t) => {
  const fixture = await setUp();
  const { url, tick } = await serve(t, fixture);
  const socket = new WebSocket(url, "graphql-transport-ws");
  t.after(() => socket.terminate());
  const received: Record<string, unknown>[] = [];
  const waiting = new Map<string, () => void>();
  socket.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: string };
    received.push(message);
    waiting.get(message.type)?.();
  });
  const expectType = async (type: string) => await new Promise<void>((resolve) => waiting.set(type, resolve));
  const say = (message: object) => socket.send(JSON.stringify(message));
  await new Promise((resolve) => socket.once("open", resolve));
  const acknowledged = expectType("connection_ack");
  say({ type: "connection_init", payload: { token: fixture.mint.token({ sub: "alice" }) } });
  await acknowledged;
  const started = expectType("next");
  say({ id: "1", type: "subscribe", payload: { query: "subscription { tick }" } });
  await started;
  await fixture.clock.advance(590_000);
  const pong = expectType("pong");
  say({ type: "ping", payload: { token: fixture.mint.token({ sub: "alice" }) } });
  await pong;
  while (fixture.connections.status().refreshed === 0) await new Promise((resolve) => setImmediate(resolve));
  await fixture.clock.advance(60_000);
  const ticked = expectType("next");
  tick();
  await ticked;
  assert.equal(socket.readyState, WebSocket.OPEN);
  assert.ok(received.every(({ type }) => !String(type).startsWith("auth.")));
});

test("the token of another subject in a ping ends the connection", async (t) => {
  const fixture = await setUp();
  const { url } = await serve(t, fixture);
  const { client, codes } = connect(t, url, () => ({ token: fixture.mint.token({ sub: "alice" }) }));
  const sockets: WebSocket[] = [];
  client.on("opened", (socket) => void sockets.push(socket as WebSocket));
  const ended = (async () => {
    for await (const _ of client.iterate({ query: "subscription { tick }" })) {
      const [socket] = sockets;
      socket?.send(
        JSON.stringify({ type: "ping", payload: { token: fixture.mint.token({ sub: "mallory" }) } }),
      );
    }
  })();
  await assert.rejects(ended, (error: { code?: number }) => error.code === 4401);
  assert.deepEqual(codes, [4401]);
});

test("holdfast/ws sends no message of its own over the subprotocol of GraphQL", async (t) => {
  const fixture = await setUp();
  const options = { tokenFrom: { query: { name: "ticket" } } };
  const { url } = await serve(t, fixture, options, protectWs);
  const ticket = fixture.mint.token({ sub: "alice" });
  const { client, codes } = connect(t, `${url}/?ticket=${ticket}`, () => ({}));
  assert.equal(await me(client), "alice");
  assert.deepEqual(
    codes.filter((code) => code !== 1000),
    [],
  );
});
