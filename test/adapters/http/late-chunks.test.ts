import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test } from "node:test";
import { dropLateChunks } from "../../../src/adapters/http/late-chunks.ts";

test("law 6, fault 66: a request that was destroyed passes on no chunk that has arrived before", async (t) => {
  const { promise: requested, resolve } = Promise.withResolvers<IncomingMessage>();
  const server = createServer((req) => resolve(req)).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").resume();
  socket.on("error", () => undefined);
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(100)}`);
  const req = await requested;
  dropLateChunks(req);
  let late = 0;
  req.on("error", () => undefined);
  req.on("data", () => {
    if (req.destroyed) late++;
    req.destroy();
  });
  await once(req, "close");
  // The chunks that arrived are emitted in one turn, also after the request was destroyed.
  await new Promise((next) => setImmediate(next));
  assert.equal(late, 0);
  assert.equal(req.listenerCount("data"), 0);
  socket.destroy();
});
