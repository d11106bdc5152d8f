import assert from "node:assert/strict";
import websocket from "@fastify/websocket";
import Fastify from "fastify";
import { WebSocket } from "ws";
import { createConnections } from "holdfast/connections";
import { holdfast } from "holdfast/fastify";
import { holdfastWebSocket } from "holdfast/fastify-websocket";
import { checkRoute, finish, guard, mint } from "./kit.js";

const app = Fastify();
await app.register(holdfast, { guard });
await app.register(websocket);
await app.register(holdfastWebSocket, { connections: createConnections({ guard }) });
app.get("/", { onRequest: app.protect({ scopes: ["read"] }) }, (request) => `hello ${request.auth.subject}`);
app.get(
  "/ws",
  app.protectWebSocket({}, (socket, request) => socket.send(`hello ${request.auth.auth.subject}`)),
);
await app.listen({ port: 0, host: "127.0.0.1" });
const { port } = app.server.address();
await checkRoute(`http://127.0.0.1:${port}/`);
const headers = { authorization: `Bearer ${mint.token({ sub: "alice" })}` };
const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers });
const heard = await new Promise((resolve, reject) => {
  // The adapter's own message "auth.ok" may come first.
  socket.on("message", (data) => {
    const text = Buffer.from(data).toString();
    if (text.startsWith("hello")) resolve(text);
  });
  socket.on("error", reject);
});
assert.equal(heard, "hello alice");
await finish();
