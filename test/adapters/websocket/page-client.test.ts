import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { compileFunction } from "node:vm";
import { WebSocketServer } from "ws";
import { protect } from "../../../src/adapters/ws.ts";
import { closeCodes } from "../../../src/connections/index.ts";
import { setUp } from "./fixture.ts";

type Connect = (
  url: string,
  getToken: (isNew: boolean) => Promise<string>,
  on: { onMessage: (data: unknown) => void; onEnd: (code: number) => void },
) => { send(data: string): void; close(): void };

const page = readFileSync(new URL("../../../docs/websockets/index.md", import.meta.url), "utf8");
const [, source = ""] = /```js\n(export function connect.*?)```/s.exec(page) ?? [];

/** Runs the client of the page with Node's WebSocket, and with timers that the test fires. */
async function connected(t: TestContext) {
  const at = await setUp(t);
  const server = createServer();
  const wss = new WebSocketServer({ noServer: true });
  const opened: string[] = [];
  server.on(
    "upgrade",
    protect(at.connections, {}, wss, (socket, request) => {
      opened.push(request.auth.auth?.subject ?? "");
      socket.on("message", (data) => socket.send(data, { binary: false }));
    }),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(async () => {
    client.close();
    for (const socket of wss.clients) socket.terminate();
    await server[Symbol.asyncDispose]();
  });
  const timers: { act: () => void; ms: number }[] = [];
  const set = (act: () => void, ms: number) => timers.push({ act, ms });
  const make = compileFunction(source.replace("export", "return"), ["setTimeout", "clearTimeout"]) as (
    ...given: unknown[]
  ) => unknown;
  const connect = make(set, () => {}) as Connect;
  const asked: boolean[] = [];
  const heard: unknown[] = [];
  const ends: number[] = [];
  const has = { token: true };
  let token = at.provider.token({ sub: "alice" });
  const getToken = async (isNew: boolean) => {
    asked.push(isNew);
    if (!has.token) throw new Error("offline");
    if (isNew) token = at.provider.token({ sub: "alice" });
    return token;
  };
  const client = connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/chat`, getToken, {
    onMessage: (data) => void heard.push(data),
    onEnd: (code) => void ends.push(code),
  });
  const until = async (done: () => boolean) => {
    while (!done()) await at.clock.advance(0);
  };
  await until(() => opened.length === 1);
  return { at, wss, client, timers, asked, heard, ends, opened, has, until };
}

test("the client in docs/websockets/index.md sends a new token after auth.expiring, and stays connected", async (t) => {
  const { at, client, heard, asked, until } = await connected(t);
  for (let i = 1; i <= 3; i++) {
    await at.clock.advance(540_000);
    await until(() => at.connections.status().refreshed === i);
    client.send(`hello ${i}`);
    await until(() => heard.length === i);
  }
  assert.deepEqual(heard, ["hello 1", "hello 2", "hello 3"]);
  assert.deepEqual(asked, [false, true, true, true]);
});

test("the client in docs/websockets/index.md connects again after its retry time, and ends with its session", async (t) => {
  const { at, timers, asked, ends, opened, has, until } = await connected(t);
  has.token = false;
  await at.clock.advance(540_000);
  await until(() => timers.length === 1);
  await at.clock.advance(66_000);
  await until(() => timers.length === 2);
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [5_000, 500],
  );
  timers[1]?.act();
  await until(() => timers.length === 3); // The client is still offline and backs off.
  has.token = true;
  timers[2]?.act();
  await until(() => opened.length === 2);
  assert.deepEqual(asked, [false, true, true, true]);
  assert.deepEqual(ends, []);
  await at.revoke("alice");
  await at.clock.advance(1_000);
  await until(() => ends.length === 1);
  assert.deepEqual(ends, [4503]);
});

test("the client in docs/websockets/index.md is back after a sleep longer than the life of its token", async (t) => {
  const { at, wss, timers, asked, opened, until } = await connected(t);
  for (const socket of wss.clients) socket.terminate();
  await until(() => timers.length === 1);
  at.clock.suspend(3_600_000);
  timers[0]?.act();
  await until(() => timers.length === 2); // The handshake with the expired token is refused.
  timers[1]?.act();
  await until(() => opened.length === 2);
  assert.deepEqual(asked, [false, false, true]);
});

test("docs/reference/close-codes.md says of each close code when it occurs and what a client does, in the only table of them", () => {
  const table = readFileSync(new URL("../../../docs/reference/close-codes.md", import.meta.url), "utf8");
  const listed = [...table.matchAll(/^\| `(4\d\d\d)` \| `(\w+)` \| [^|]+\. \| [^|]+\. \|$/gm)].map(
    ([, code, error]) => [error, Number(code)],
  );
  assert.deepEqual(Object.fromEntries(listed), closeCodes);
  assert.doesNotMatch(page, /^\| `?4\d\d\d`? \|/m);
  assert.match(page, /\]\(\.\.\/reference\/close-codes\.md\)/);
});
