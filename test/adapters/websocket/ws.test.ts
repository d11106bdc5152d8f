import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { protect, type ProtectOptions } from "../../../src/adapters/ws.ts";
import type { Connections } from "../../../src/connections/index.ts";
import { websocketContract } from "./handshake-contract.ts";
import { faultContract } from "./fault-contract.ts";
import { liveContract } from "./connection-contract.ts";
import type { Library, Peer } from "./fixture.ts";

const makeServer = () =>
  new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  });

const library: Library = {
  name: "ws",
  hasBodies: true,
  protect: async (connections, options) =>
    protect(connections as Connections, options as ProtectOptions, makeServer()),
  async serve(t, connections, options, application) {
    const server = createServer();
    const wss = makeServer();
    server.on(
      "upgrade",
      protect(connections, options, wss, (socket, request) => {
        const { protocol } = socket;
        const send: Peer["send"] = (data) => socket.send(data);
        const peer: Peer = { auth: request.auth, url: request.url ?? "", protocol, send };
        application.opened?.(peer);
        socket.on("message", (data: Buffer, isBinary) => {
          application.received?.(peer, isBinary ? data : data.toString());
        });
        socket.on("close", (code) => application.closed?.(peer, code));
      }),
    );
    t.after(async () => {
      for (const socket of wss.clients) socket.terminate();
      await server[Symbol.asyncDispose]();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { port: (server.address() as AddressInfo).port, log: () => "" };
  },
};

websocketContract(library);
liveContract(library);
faultContract(library);
