import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, upgradeWebSocket, type WebSocketServerLike } from "@hono/node-server";
import { Hono } from "hono";
import { logger } from "hono/logger";
import { WebSocketServer } from "ws";
import { hideTokens, protect, type ProtectOptions } from "../../../src/adapters/hono-websocket.ts";
import type { Connections } from "../../../src/guard/connections.ts";
import { websocketContract } from "./contract.ts";
import { liveContract } from "./live-contract.ts";
import type { Library, Peer } from "./place.ts";

const options = {
  noServer: true,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered: Set<string>) => (offered.has("chat") ? "chat" : (false as const)),
};

const library: Library = {
  name: "Hono",
  hasBodies: false,
  protect: async (connections, rules) =>
    protect(connections as Connections, rules as ProtectOptions, upgradeWebSocket, () => ({})),
  async serve(t, connections, rules, application) {
    let log = "";
    const wss = new WebSocketServer(options);
    const app = new Hono();
    app.use(logger((line) => (log += line)));
    app.get(
      "/chat",
      protect(connections, rules, upgradeWebSocket, (c, auth) => {
        let peer: Peer;
        return {
          onOpen(_, ws) {
            const { pathname, search } = new URL(c.req.url);
            const send: Peer["send"] = (data) => ws.send(data as string);
            peer = { auth, url: pathname + search, protocol: ws.protocol ?? "", send };
            application.opened?.(peer);
          },
          onMessage({ data }) {
            const received = typeof data === "string" ? data : Buffer.from(data as ArrayBuffer);
            application.received?.(peer, received);
          },
          onClose: ({ code }) => application.closed?.(peer, code),
        };
      }),
    );
    const fetch = hideTokens(app.fetch, rules.tokenFrom);
    const server = createAdaptorServer({ fetch, websocket: { server: wss as WebSocketServerLike } });
    t.after(async () => {
      for (const socket of wss.clients) socket.terminate();
      server.close();
      await once(server, "close");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { port: (server.address() as AddressInfo).port, log: () => log };
  },
};

websocketContract(library);
liveContract(library);
