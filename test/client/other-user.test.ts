import assert from "node:assert/strict";
import { test } from "node:test";
import { io } from "socket.io-client";
import { authenticateSocket } from "../../src/client/socket-io.ts";
import { settle, startDevice } from "./device.ts";

/** Nothing listens here, so that a connection is never made. */
const nowhere = "http://127.0.0.1:1";
const otherSubject = [{ code: 4504, error: "other_subject" }];

test("messages that a user queued before the first connect are not sent for the next user", async (t) => {
  const device = startDevice(t);
  const tab = device.tab({ origins: [nowhere] });
  await tab.login({ username: "ann", password: "x" });
  device.fault = (path) => (path === "/auth/refresh" ? new Response(null, { status: 503 }) : undefined);
  await device.clock.advance(3_600_000);
  const ends: object[] = [];
  const socket = tab.connect(nowhere, { onEnd: (end) => ends.push(end) });
  assert.equal(socket.send("a secret of ann"), true);
  await settle();
  assert.equal(socket.state, "waiting");
  await tab.login({ username: "bob", password: "x" });
  await settle();
  assert.deepEqual(ends, otherSubject);
  assert.equal(socket.state, "ended");
});

test("the sockets of a client end when it closes, and its listeners hear nothing", async (t) => {
  const device = startDevice(t);
  const tab = device.tab({ origins: [nowhere] });
  await tab.login({ username: "ann", password: "x" });
  device.fault = () => new Response(null, { status: 503 });
  await device.clock.advance(3_600_000);
  const ends: object[] = [];
  let calls = 0;
  const socket = tab.connect(nowhere, { onEnd: (end) => ends.push(end) });
  await settle();
  assert.equal(socket.state, "waiting");
  tab.subscribe(() => calls++);
  tab.close();
  assert.deepEqual(ends, [{ code: 1000, error: "" }]);
  assert.equal(socket.state, "ended");
  assert.equal(calls, 0);
});

test("a socket of socket.io that never connected ends when another user logs in", async (t) => {
  const device = startDevice(t);
  const tab = device.tab();
  await tab.login({ username: "ann", password: "x" });
  await settle();
  const ends: object[] = [];
  const socket = io(nowhere, { autoConnect: false, reconnection: false });
  t.after(authenticateSocket(tab, socket, { clock: device.clock, onEnd: (end) => ends.push(end) }));
  socket.emit("said", "a secret of ann");
  await tab.login({ username: "bob", password: "x" });
  await settle();
  assert.deepEqual(ends, otherSubject);
});
