import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocket, WebSocketServer } from "ws";
import { protect, type ConnectedRequest, type TrpcProtectOptions } from "../../../src/adapters/trpc-ws.ts";
import { setUp, type Fixture } from "../../connections/fixture.ts";
import { startUpgradeServer } from "./upgrade-server.ts";

const trpc = initTRPC.context<{ auth: ConnectedRequest["auth"] }>().create();
const router = trpc.router({ me: trpc.procedure.query(({ ctx }) => ctx.auth.auth?.subject ?? "nobody") });

async function serve(t: TestContext, { connections }: Fixture, options: TrpcProtectOptions): Promise<string> {
  const wss = new WebSocketServer({ noServer: true });
  const createContext = ({ req }: { req: unknown }) => ({ auth: (req as ConnectedRequest).auth });
  applyWSSHandler({ wss, router, createContext });
  return await startUpgradeServer(t, wss, protect(connections, options, wss));
}

function connect(t: TestContext, url: string, params: () => Record<string, string>) {
  const closed = new EventTarget();
  const client = createWSClient({
    url,
    // The types of `ws` and of the DOM differ in optional members.
    WebSocket: WebSocket as never,
    connectionParams: params,
    retryDelayMs: () => 0,
    onClose: (cause) => closed.dispatchEvent(Object.assign(new Event("closed"), { code: cause?.code })),
  });
  t.after(async () => await client.close());
  const { me } = createTRPCClient<typeof router>({ links: [wsLink({ client })] });
  const nextCode = async () => ((await once(closed, "closed")) as [{ code: number }])[0].code;
  return { me: async () => await me.query(), nextCode };
}

test("a client of tRPC sends its token in connectionParams, and comes back with a new one after the expiry", async (t) => {
  const fixture = await setUp();
  const url = await serve(t, fixture, { scopes: ["orders"] });
  let count = 0;
  const { me, nextCode } = connect(t, url, () => ({
    token: fixture.mint.token({ sub: `user ${++count}`, scope: "orders" }),
  }));
  assert.equal(await me(), "user 1");
  const code = nextCode();
  await fixture.clock.advance(700_000);
  assert.equal(await code, 4401);
  assert.equal(await me(), "user 2");
});

test("a client of tRPC without a good token is closed with the cause", async (t) => {
  const fixture = await setUp();
  const url = await serve(t, fixture, { scopes: ["orders"] });
  for (const [params, code] of [
    [{ token: "nonsense" }, 4501],
    [{ authorization: `Bearer ${fixture.mint.token({ scope: "other" })}` }, 4502],
    [{ name: "alice" }, 4408],
  ] as const) {
    const socket = new WebSocket(`${url}/?connectionParams=1`);
    await once(socket, "open");
    socket.send(JSON.stringify({ method: "connectionParams", data: params }));
    const [closedBy] = (await once(socket, "close")) as [number];
    assert.equal(closedBy, code);
  }
});
