import type { SimulatedProcess, World } from "../../src/testing/simulation/index.ts";

/** A message of a WebSocket. */
export interface SocketMessage {
  /** `null` for a binary message. */
  readonly text: string | null;
  readonly data: unknown;
  readonly bytes: number;
}

type Frame =
  | { readonly kind: "message"; readonly message: SocketMessage }
  | { readonly kind: "close"; readonly code: number };

/** The close code that a library reports when the connection broke without a close frame (RFC 6455 §7.4.1). */
const BROKEN = 1006;
/** The first retransmission of a lost packet. Each further one waits twice as long. */
const RETRANSMIT_MS = 200;
/** After so many retransmissions, about 25 seconds, the sender gives up. */
const MAX_RETRANSMISSIONS = 7;
/** A library ends a connection whose peer does not answer its close frame within this time. */
const CLOSE_TIMEOUT_MS = 30_000;

const ignore = () => {};

/**
 * One end of a WebSocket, as its library shows it to the program. Messages arrive in order. A lost packet is sent again,
 * and everything behind it waits. A peer that crashed resets the connection, and one without power is silent.
 */
export class SocketEnd {
  onMessage: (message: SocketMessage) => void = ignore;
  /** Called once, when the connection is over. */
  onClose: (code: number) => void = ignore;
  readonly #world: World;
  readonly #machine: SimulatedProcess;
  readonly #life: number;
  readonly #forgetCrash: () => void;
  #peer: SocketEnd | null = null;
  #state: "open" | "closing" | "closed" = "open";
  readonly #outgoing: Frame[] = [];
  #isTransmitting = false;
  /** The time at which the last frame that was sent arrives. */
  #arrivesAt = 0;
  /** Frames that wait because the program has paused the socket. `null` while it reads. */
  #unread: Frame[] | null = null;

  constructor(world: World, machine: SimulatedProcess) {
    this.#world = world;
    this.#machine = machine;
    this.#life = machine.life;
    this.#forgetCrash = machine.onCrash(() => this.#resetPeer());
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Joins two ends. What the other end has sent so far arrives now. */
  join(peer: SocketEnd): void {
    [this.#peer, peer.#peer] = [peer, this];
    if (peer.#state === "closed") this.#resetBy(peer);
  }

  send(message: SocketMessage): void {
    if (this.#state === "open") this.#queue({ kind: "message", message });
  }

  close(code: number): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#queue({ kind: "close", code });
    this.#world.plan(CLOSE_TIMEOUT_MS, this.#machine, "close timeout", () => this.#end(BROKEN));
  }

  pause(): void {
    this.#unread ??= [];
  }

  resume(): void {
    const unread = this.#unread ?? [];
    this.#unread = null;
    for (const frame of unread) this.#world.plan(0, this.#machine, "socket read", () => this.#read(frame));
  }

  /** Whether the program of this end has crashed or ended. */
  get #isGone(): boolean {
    return !this.#machine.isAlive || this.#machine.life !== this.#life;
  }

  #queue(frame: Frame): void {
    this.#outgoing.push(frame);
    if (!this.#isTransmitting) this.#transmit(0);
  }

  /** Sends the frames that wait. After a loss it tries again later. */
  #transmit(attempt: number): void {
    this.#isTransmitting = false;
    const { network } = this.#world;
    for (let tries = attempt; this.#outgoing.length > 0 && !this.#isGone; tries = 0) {
      const peer = this.#peer;
      const isLost =
        peer === null ||
        !peer.#machine.isAlive ||
        network.isLost(this.#machine.name, peer.#machine.name, "socket");
      if (isLost) return this.#transmitLater(tries + 1);
      const frame = this.#outgoing.shift() as Frame;
      this.#arrivesAt = Math.max(this.#world.now + network.delayMs(), this.#arrivesAt);
      const label = `socket ${this.#machine.name}>${peer.#machine.name}`;
      this.#world.plan(this.#arrivesAt - this.#world.now, null, label, () => peer.#arrive(frame));
    }
  }

  #transmitLater(attempt: number): void {
    if (attempt > MAX_RETRANSMISSIONS) {
      this.#world.plan(0, this.#machine, "socket broken", () => this.#end(BROKEN));
      return;
    }
    this.#isTransmitting = true;
    this.#world.plan(RETRANSMIT_MS * 2 ** (attempt - 1), null, "retransmit", () => this.#transmit(attempt));
  }

  /** A frame reaches the machine. */
  #arrive(frame: Frame): void {
    if (!this.#machine.isAlive) return;
    if (this.#isGone || this.#state === "closed") this.#resetPeer();
    else this.#world.plan(0, this.#machine, "socket read", () => this.#read(frame));
  }

  #read(frame: Frame): void {
    if (this.#state === "closed") return;
    if (this.#unread !== null) return void this.#unread.push(frame);
    if (frame.kind === "message") return this.onMessage(frame.message);
    if (this.#state === "open") this.#queue(frame);
    this.#end(frame.code);
  }

  /** Tells the other end that this one is gone, unless the packet gets lost. */
  #resetPeer(): void {
    if (this.#peer !== null) this.#peer.#resetBy(this);
  }

  #resetBy(peer: SocketEnd): void {
    const { network } = this.#world;
    if (this.#isGone || network.isLost(peer.#machine.name, this.#machine.name, "socket reset")) return;
    this.#world.plan(network.delayMs(), this.#machine, "socket reset", () => this.#end(BROKEN));
  }

  #end(code: number): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    if (code === BROKEN) this.#outgoing.length = 0;
    this.#forgetCrash();
    this.onClose(code);
  }
}

/** The WebSockets of a world. A handshake offers one end, and the client takes the other. */
export class SocketNetwork {
  readonly #world: World;
  readonly #offered = new Map<string, SocketEnd>();
  #count = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The end of the server, and the name under which the client finds it. */
  offer(server: SimulatedProcess): { readonly name: string; readonly end: SocketEnd } {
    const name = `s${++this.#count}`;
    const end = new SocketEnd(this.#world, server);
    this.#offered.set(name, end);
    return { name, end };
  }

  /** The end of the client of an accepted handshake. */
  take(name: string, client: SimulatedProcess): SocketEnd {
    const server = this.#offered.get(name);
    if (server === undefined) throw new Error(`no server has offered the socket "${name}"`);
    this.#offered.delete(name);
    const end = new SocketEnd(this.#world, client);
    end.join(server);
    return end;
  }
}
