import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";
import { protect as protectSockets, type AuthData } from "../../src/adapters/socket-io.ts";
import { protect } from "../../src/adapters/ws.ts";
import { createConnections, type Connections } from "../../src/connections/index.ts";
import { createGuard, staticKeys } from "../../src/index.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { createMint, FakeClock, type Mint } from "../../src/testing/index.ts";

type Events = Record<string, (...args: unknown[]) => void>;

export interface Site {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly connections: Connections;
  /** The origin of a page that can open WebSockets. */
  readonly origin: string;
  /** The same page on another port. That is another origin, but cookies of the first are sent to it too. */
  readonly foreignOrigin: string;
  /** The messages of all clients of `/room`. */
  readonly said: string[];
  /** The last accepted handshake, as the application sees it. */
  readonly lastRequest: () => IncomingMessage | undefined;
  readonly revoke: (subject: string) => Promise<void>;
}

const dist = createRequire(import.meta.url).resolve("socket.io-client/dist/socket.io.js");

/** A page that opens WebSockets and records their events. */
const page = `<!doctype html><title>site</title><link rel="icon" href="data:,"><script src="/socket.io.js"></script><script>
  globalThis.dial = (url, protocols, first) => {
    const socket = new WebSocket(url, protocols);
    const call = { socket, heard: [], opened: false };
    call.open = new Promise((resolve) => (socket.onopen = () => {
      call.opened = true;
      if (first) socket.send(first);
      resolve(socket.protocol);
    }));
    call.closed = new Promise((resolve) => (socket.onclose = ({ code, reason, wasClean }) =>
      resolve({ code, reason, wasClean, opened: call.opened })));
    socket.onmessage = ({ data }) => call.heard.push(data);
    return (globalThis.call = call);
  };
</script>`;

/** Starts a server for WebSockets and socket.io, with its page. The server has a fake clock. */
export async function startSite(t: TestContext): Promise<Site> {
  const clock = new FakeClock();
  const [issuer, audience] = ["https://id.example", "https://api.example"];
  const mint = await createMint({ issuer, audience, clock });
  const { revocations } = memoryStore({ clock });
  const guard = createGuard({ issuer, audience, keys: staticKeys(mint.jwks()), revocations, clock });
  await guard.ready();
  const connections = createConnections({ guard, clock, random: () => 0.5 });

  const answer = (req: IncomingMessage) => (req.url === "/socket.io.js" ? readFileSync(dist) : page);
  const listen = async () => {
    const server = createServer((req, res) => void res.end(answer(req))).listen(0, "127.0.0.1");
    await once(server, "listening");
    return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const [own, foreign] = [await listen(), await listen()];
  const said: string[] = [];
  let last: IncomingMessage | undefined;
  const cookie = { name: "token", origins: [own.origin] };
  const tokenFrom = { firstMessage: true, cookie };
  const wss = new WebSocketServer({ noServer: true });
  const upgrade = protect(connections, { tokenFrom }, wss, (socket, request) => {
    last = request;
    socket.on("message", (data) => {
      said.push((data as Buffer).toString());
      socket.send((data as Buffer).toString());
    });
  });
  own.server.on("upgrade", (request, socket, head: Buffer) => {
    if (request.url === "/room") upgrade(request, socket, head);
  });
  const io = new Server<Events, Events, Events, AuthData>(own.server);
  protectSockets(connections, {}, io);
  io.on("connection", (socket) => socket.on("say", (what) => said.push(String(what))));
  t.after(async () => {
    for (const socket of wss.clients) socket.terminate(); // The server waits for open sockets.
    foreign.server.close();
    foreign.server.closeAllConnections();
    await io.close();
    await connections.close();
    await guard.close();
  });
  return {
    clock,
    mint,
    connections,
    origin: own.origin,
    foreignOrigin: foreign.origin,
    said,
    lastRequest: () => last,
    revoke: async (id) => {
      const until = clock.now() + 3_600_000;
      await revocations.append({ kind: "subject", id, before: 0, issuer, until });
      await clock.advance(300); // The guard reads the log every 250 ms.
    },
  };
}
