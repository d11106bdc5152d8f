import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { listen } from "../../../src/server/http/listen.ts";

test("rejects an occupied port, and names the address and the setting", async (t) => {
  const first = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  t.after(first.stop);
  await assert.rejects(listen("127.0.0.1", first.port, "HOLDFAST_ADMIN_PORT"), {
    code: "invalid_option",
    message: `cannot listen on ${first.address}: it is in use; choose another HOLDFAST_ADMIN_PORT`,
  });
  await assert.rejects(listen("192.0.2.1", 0, "HOLDFAST_PORT"), {
    message: /no such address; choose another HOLDFAST_HOST/,
  });
});

test("law 1: requests get 503 with Retry-After until the service is ready", async (t) => {
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  t.after(listener.stop);
  const early = await fetch(listener.address);
  assert.equal(early.status, 503);
  assert.equal(early.headers.get("retry-after"), "1");
  listener.mount((_, res) => res.end("ready"));
  assert.equal(await (await fetch(listener.address)).text(), "ready");
});

test("fault 41: a stop answers requests under way, accepts no connection and does not wait for idle ones", async () => {
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  const arrived = Promise.withResolvers<ServerResponse>();
  listener.mount((req, res) => (req.url === "/slow" ? arrived.resolve(res) : res.end()));
  const agent = new Agent({ keepAlive: true });
  const silent = connect(listener.port, "127.0.0.1");
  await once(silent, "connect");

  const idle = get(listener.address, { agent });
  const [first] = (await once(idle, "response")) as [IncomingMessage];
  first.resume();
  await once(first, "end");
  const slow = get(`${listener.address}/slow`);
  const res = await arrived.promise;

  const stopped = listener.stop();
  await assert.rejects(fetch(listener.address));
  res.end("whole");
  const [answer] = (await once(slow, "response")) as [IncomingMessage];
  assert.equal(answer.headers.connection, "close");
  assert.equal((await answer.toArray()).join(""), "whole");
  await stopped;
  silent.destroy();
  agent.destroy();
});
