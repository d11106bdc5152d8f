import type { AddressInfo } from "node:net";
import websocket from "@fastify/websocket";
import { fastify } from "fastify";
import { holdfastWebSocket } from "../../../src/adapters/fastify-websocket.ts";
import type { ProtectOptions } from "../../../src/adapters/ws.ts";
import type { Connections } from "../../../src/guard/connections.ts";
import { websocketContract } from "./contract.ts";
import { liveContract } from "./live-contract.ts";
import type { Library, Peer } from "./place.ts";

const serverOptions = {
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered: Set<string>) => (offered.has("chat") ? "chat" : (false as const)),
};

const library: Library = {
  name: "Fastify",
  hasBodies: true,
  async protect(connections, options) {
    const { tokenFrom, ...rules } = options as ProtectOptions;
    const app = fastify();
    await app.register(websocket);
    await app.register(holdfastWebSocket, {
      connections: connections as Connections,
      ...(tokenFrom && { tokenFrom }),
    });
    return app.protectWebSocket(rules, () => {});
  },
  async serve(t, connections, { tokenFrom, ...rules }, application) {
    let log = "";
    const stream = { write: (line: string) => void (log += line) };
    const app = fastify({ logger: { level: "trace", stream } });
    await app.register(websocket, { options: serverOptions });
    await app.register(holdfastWebSocket, { connections, ...(tokenFrom && { tokenFrom }) });
    app.get(
      "/chat",
      app.protectWebSocket(rules, (socket, request) => {
        const { protocol } = socket;
        const send: Peer["send"] = (data) => socket.send(data);
        const peer: Peer = { auth: request.auth, url: request.url, protocol, send };
        application.opened?.(peer);
        socket.on("message", (data: Buffer, isBinary) => {
          application.received?.(peer, isBinary ? data : data.toString());
        });
        socket.on("close", (code) => application.closed?.(peer, code));
      }),
    );
    t.after(async () => {
      for (const socket of app.websocketServer.clients) socket.terminate();
      await app.close();
    });
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { port: (app.server.address() as AddressInfo).port, log: () => log };
  },
};

websocketContract(library);
liveContract(library);
