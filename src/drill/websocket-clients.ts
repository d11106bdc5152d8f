import { setTimeout as sleep } from "node:timers/promises";
import type { RevokedToken, Environment } from "./environment.ts";

/** The subprotocol that carries a token, as in Kubernetes, and the subprotocol that the server accepts. */
const TOKEN_PROTOCOL_PREFIX = "base64url.bearer.authorization.k8s.io.";
const PROTOCOL = "drill";
/** How many connections are opened at once. */
const BATCH = 50;
/** The interval at which each connection sends a message. */
const MESSAGE_INTERVAL_MS = 5_000;
const STEPS = 50;

/** A connection that was closed before the clients closed it. */
export interface ClosedConnection {
  /** When it was closed, on the monotonic clock, in milliseconds. */
  readonly at: number;
  readonly code: number;
  readonly token: string;
}

/** The counts and closed connections that the checks need. */
export type WebSocketReport = Pick<
  WebSocketClients,
  "opened" | "sent" | "answered" | "revoked" | "closed" | "dropped"
>;

/** WebSocket connections that stay open through all outages and send messages all the time. */
export class WebSocketClients {
  readonly revoked: RevokedToken[] = [];
  readonly closed: ClosedConnection[] = [];
  opened = 0;
  /** The number of messages sent, and of messages that came back. */
  sent = 0;
  answered = 0;
  readonly #sockets = new Map<WebSocket, string>();
  #isClosing = false;
  #sending: Promise<void> = Promise.resolve();

  /** Opens `count` connections. Rejects when one is refused. */
  async open(environment: Environment, count: number): Promise<void> {
    const connect = async () => await this.#connect(environment.webSocketUrl ?? "", environment.token(false));
    while (this.opened < count) {
      const batch = Math.min(BATCH, count - this.opened);
      await Promise.all(Array.from({ length: batch }, connect));
    }
    this.#sending = this.#sendMessages();
  }

  /** The connections with good tokens that were closed. */
  get dropped(): readonly ClosedConnection[] {
    return this.closed.filter(({ token }) => !this.revoked.some((revoked) => revoked.token === token));
  }

  /** Closes every connection. It waits first, so that the messages under way can come back. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#sending;
    for (let waited = 0; this.sent > this.answered && waited < STEPS; waited++)
      await sleep(MESSAGE_INTERVAL_MS / STEPS);
    for (const socket of this.#sockets.keys()) socket.close();
    this.#sockets.clear();
  }

  async #connect(url: string, token: string): Promise<void> {
    const tokenProtocol = TOKEN_PROTOCOL_PREFIX + Buffer.from(token).toString("base64url");
    const socket = new WebSocket(url, [PROTOCOL, tokenProtocol]);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("close", ({ code }) => reject(new Error(`refused with ${code}`)), {
        once: true,
      });
    });
    this.opened++;
    this.#sockets.set(socket, token);
    socket.addEventListener("message", ({ data }) => {
      if (data === PROTOCOL) this.answered++;
    });
    socket.addEventListener("close", ({ code }) => {
      if (!this.#isClosing) this.closed.push({ at: performance.now(), code, token });
      this.#sockets.delete(socket);
    });
  }

  /** Sends over a part of the connections at a time, so that messages are under way when an outage begins. */
  async #sendMessages(): Promise<void> {
    for (let step = 0; !this.#isClosing; step = (step + 1) % STEPS) {
      let nth = 0;
      for (const [socket, token] of this.#sockets) {
        const isRevoked = this.revoked.some((revoked) => revoked.token === token);
        if (nth++ % STEPS !== step || isRevoked || socket.readyState !== WebSocket.OPEN) continue;
        this.sent++;
        socket.send(PROTOCOL);
      }
      await sleep(MESSAGE_INTERVAL_MS / STEPS);
    }
  }
}
