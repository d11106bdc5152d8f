import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { compileFunction } from "node:vm";
import type { Socket } from "socket.io-client";
import { protect } from "../../../src/adapters/socket-io.ts";
import { setUp } from "./fixture.ts";

type Drive = (
  socket: Socket,
  getToken: (isNew: boolean) => Promise<string>,
  onEnd: (code: number) => void,
) => void;

const page = readFileSync(new URL("../../../docs/websockets/index.md", import.meta.url), "utf8");
const [, source = ""] = /```js\n(export function drive.*?)```/s.exec(page) ?? [];

/** Runs the client of the page with timers that the test fires. */
async function driven(t: TestContext) {
  const at = await setUp(t);
  protect(at.connections, {}, at.io);
  const joined: string[] = [];
  at.io.on("connection", (socket) => joined.push(socket.data.auth.auth?.subject ?? ""));
  const timers: (() => void)[] = [];
  const make = compileFunction(source.replace("export", "return"), ["setTimeout", "clearTimeout"]) as (
    ...given: unknown[]
  ) => unknown;
  const drive = make(
    (act: () => void) => timers.push(act),
    () => {},
  ) as Drive;
  const asked: boolean[] = [];
  const ends: number[] = [];
  const has = { token: true };
  const getToken = async (isNew: boolean) => {
    asked.push(isNew);
    if (!has.token) throw new Error("offline");
    return at.provider.token({ sub: "alice" });
  };
  const socket = at.client({}, { autoConnect: false });
  drive(socket, getToken, (code) => ends.push(code));
  const until = async (done: () => boolean) => {
    while (!done()) await at.clock.advance(0);
  };
  await until(() => joined.length === 1 && socket.connected);
  return { at, socket, timers, asked, ends, joined, has, until };
}

test("the client of socket.io in docs/websockets/index.md sends a new token after auth.expiring", async (t) => {
  const { at, joined, asked, until } = await driven(t);
  for (let i = 1; i <= 3; i++) {
    await at.clock.advance(540_000);
    await until(() => at.connections.status().refreshed === i);
  }
  assert.deepEqual(joined, ["alice"]);
  assert.deepEqual(asked, [false, true, true, true]);
});

test("the client of socket.io in docs/websockets/index.md survives an outage without a token, and ends with its session", async (t) => {
  const { at, socket, timers, asked, ends, joined, has, until } = await driven(t);
  has.token = false;
  await at.clock.advance(540_000);
  await until(() => timers.length === 1); // No token can be had for the open socket.
  await at.clock.advance(66_000);
  await until(() => timers.length === 2); // The token has expired, and the server has closed the socket.
  assert.equal(socket.connected, false);
  timers[1]?.();
  await until(() => timers.length === 3); // The client has no token for the new transport.
  has.token = true;
  timers[2]?.();
  await until(() => joined.length === 2 && socket.connected);
  assert.deepEqual(asked, [false, true, true, true]);
  await at.revoke("alice");
  await at.clock.advance(1_000);
  await until(() => ends.length === 1);
  assert.deepEqual(ends, [4503]);
});
