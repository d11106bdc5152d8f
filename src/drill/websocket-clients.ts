import { setTimeout as sleep } from "node:timers/promises";
import type { RevokedToken, Environment } from "./environment.ts";

/** The subprotocol that carries a token, as in Kubernetes, and one to be answered with. */
const TOKEN_PROTOCOL_PREFIX = "base64url.bearer.authorization.k8s.io.";
const PROTOCOL = "drill";
/** Opened at a time. */
const BATCH = 50;
/** Each connection says something about as often. */
const MESSAGE_INTERVAL_MS = 5_000;
const STEPS = 50;

/** A connection that ended before it was told to. */
export interface ClosedConnection {
  /** When: monotonic, milliseconds. */
  readonly at: number;
  readonly code: number;
  readonly token: string;
}

/** What became of the connections. */
export type WebSocketReport = Pick<
  WebSocketClients,
  "opened" | "sent" | "answered" | "revoked" | "closed" | "dropped"
>;

/** Connections that stay open, whatever becomes of the authority, and talk all the time. */
export class WebSocketClients {
  readonly revoked: RevokedToken[] = [];
  readonly closed: ClosedConnection[] = [];
  opened = 0;
  /** Messages sent, and those that came back. */
  sent = 0;
  answered = 0;
  readonly #sockets = new Map<WebSocket, string>();
  #isClosing = false;
  #sending: Promise<void> = Promise.resolve();

  /** Opens `count` of them. Rejects when one cannot be. */
  async open(world: Environment, count: number): Promise<void> {
    const connect = async () => await this.#connect(world.webSocketUrl ?? "", world.token(false));
    while (this.opened < count) {
      const some = Math.min(BATCH, count - this.opened);
      await Promise.all(Array.from({ length: some }, connect));
    }
    this.#sending = this.#sendMessages();
  }

  /** Connections with good tokens that were dropped. */
  get dropped(): readonly ClosedConnection[] {
    return this.closed.filter(({ token }) => !this.revoked.some((revoked) => revoked.token === token));
  }

  /** Ends all. Resolves when what was said had time to come back. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#sending;
    for (let waited = 0; this.sent > this.answered && waited < STEPS; waited++)
      await sleep(MESSAGE_INTERVAL_MS / STEPS);
    for (const socket of this.#sockets.keys()) socket.close();
    this.#sockets.clear();
  }

  async #connect(url: string, token: string): Promise<void> {
    const carrier = TOKEN_PROTOCOL_PREFIX + Buffer.from(token).toString("base64url");
    const socket = new WebSocket(url, [PROTOCOL, carrier]);
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

  /** A part of them at a time, so that something is under way whenever something breaks. */
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
