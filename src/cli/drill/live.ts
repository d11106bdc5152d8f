import { setTimeout as sleep } from "node:timers/promises";
import type { Revoked, World } from "./world.ts";

/** The subprotocol that carries a token, as in Kubernetes, and one to be answered with. */
const CARRIER = "base64url.bearer.authorization.k8s.io.";
const SPOKEN = "drill";
/** Opened at a time. */
const BATCH = 50;
/** Each connection says something about as often. */
const TALK_MS = 5_000;
const STEPS = 50;

/** A connection that ended before it was told to. */
export interface Ended {
  /** When: monotonic, milliseconds. */
  readonly at: number;
  readonly code: number;
  readonly token: string;
}

/** What became of the connections. */
export type Told = Pick<Live, "opened" | "sent" | "answered" | "revoked" | "ended" | "dropped">;

/** Connections that stay open, whatever becomes of the authority, and talk all the time. */
export class Live {
  readonly revoked: Revoked[] = [];
  readonly ended: Ended[] = [];
  opened = 0;
  /** Messages sent, and those that came back. */
  sent = 0;
  answered = 0;
  readonly #sockets = new Map<WebSocket, string>();
  #isOver = false;
  #talking: Promise<void> = Promise.resolve();

  /** Opens `count` of them. Rejects when one cannot be. */
  async open(world: World, count: number): Promise<void> {
    const connect = async () => await this.#connect(world.liveUrl ?? "", world.token(false));
    while (this.opened < count) {
      const some = Math.min(BATCH, count - this.opened);
      await Promise.all(Array.from({ length: some }, connect));
    }
    this.#talking = this.#talk();
  }

  /** Connections with good tokens that were dropped. */
  get dropped(): readonly Ended[] {
    return this.ended.filter(({ token }) => !this.revoked.some((revoked) => revoked.token === token));
  }

  /** Ends all. Resolves when what was said had time to come back. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#talking;
    for (let waited = 0; this.sent > this.answered && waited < STEPS; waited++) await sleep(TALK_MS / STEPS);
    for (const socket of this.#sockets.keys()) socket.close();
    this.#sockets.clear();
  }

  async #connect(url: string, token: string): Promise<void> {
    const carrier = CARRIER + Buffer.from(token).toString("base64url");
    const socket = new WebSocket(url, [SPOKEN, carrier]);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("close", ({ code }) => reject(new Error(`refused with ${code}`)), {
        once: true,
      });
    });
    this.opened++;
    this.#sockets.set(socket, token);
    socket.addEventListener("message", ({ data }) => {
      if (data === SPOKEN) this.answered++;
    });
    socket.addEventListener("close", ({ code }) => {
      if (!this.#isOver) this.ended.push({ at: performance.now(), code, token });
      this.#sockets.delete(socket);
    });
  }

  /** A part of them at a time, so that something is under way whenever something breaks. */
  async #talk(): Promise<void> {
    for (let step = 0; !this.#isOver; step = (step + 1) % STEPS) {
      let nth = 0;
      for (const [socket, token] of this.#sockets) {
        const isRevoked = this.revoked.some((revoked) => revoked.token === token);
        if (nth++ % STEPS !== step || isRevoked || socket.readyState !== WebSocket.OPEN) continue;
        this.sent++;
        socket.send(SPOKEN);
      }
      await sleep(TALK_MS / STEPS);
    }
  }
}
