import { requireMethods } from "../../core/options.ts";
import type { ConnectionLine, Connections, Line } from "../../guard/connections/types.ts";
import type { Admission, Rules } from "../../guard/types.ts";

/** A packet of socket.io's protocol, version 5. */
interface Packet {
  readonly type: number;
  readonly id?: number;
  readonly data?: unknown;
}

const DISCONNECT = 1;
const EVENT = 2;
const BINARY_EVENT = 5;

/** The event by which a client brings a token. */
const TOKEN = "auth.token";

/**
 * Where packets come in. It is not of the public interface, and `socket.use` will not do in its place: what listens with
 * `onAny`, and answers to questions of the server, pass that by.
 */
const ENTRANCE = "_onpacket";

/** Where its end is told of. An application may take all listeners away, and one that throws keeps it from the others. */
const EXIT = "_onclose";

/** A socket of socket.io. */
export interface Joined {
  data: { auth?: unknown };
  readonly client: unknown;
  emit(event: string, said: unknown): unknown;
  disconnect(close?: boolean): unknown;
  [ENTRANCE]: (this: never, packet: Packet) => void;
  [EXIT]: (this: never, ...why: unknown[]) => unknown;
}

type Answer = (said: unknown) => void;

interface Socket extends Joined {
  readonly client: { readonly sockets: ReadonlyMap<string, unknown> };
  ack(id: number): Answer;
}

const place = Symbol("holdfast.seat");

type Taken = Socket & { [place]: Seat };

/** Gives a socket that has joined its connection, on `socket.data.auth`. That may be closed when this returns. */
export function seat<C>(
  joined: Joined,
  connections: Connections<C>,
  admission: Admission<C>,
  rules: Rules,
): void {
  const socket = joined as Taken;
  requireMethods("protect", "a socket of socket.io", socket, [ENTRANCE, EXIT, "ack"]);
  requireMethods("protect", "client.sockets of socket.io", socket.client.sockets, ["values"]);
  socket[place] = new Seat(socket, (line) => connections.open(line, admission, rules));
  socket.data.auth = socket[place].connection;
  socket[ENTRANCE] = receive;
  socket[EXIT] = leave;
}

// For all sockets: no closure each.
function receive(this: Taken, packet: Packet): void {
  this[place].receive(packet);
}

function leave(this: Taken, ...why: unknown[]): unknown {
  return this[place].leave(why);
}

/** What a connection does with its socket. */
class Seat implements Line {
  readonly connection: ConnectionLine<unknown>;
  readonly #socket: Socket;
  /** What socket.io does with a packet, and at the end. */
  readonly #handle: Joined[typeof ENTRANCE];
  readonly #end: Joined[typeof EXIT];
  /** Who waits for what becomes of a token; `null` who does not. */
  readonly #waiting: (Answer | null)[] = [];
  #isPresenting = false;

  constructor(socket: Socket, open: (line: Line) => ConnectionLine<unknown>) {
    this.#socket = socket;
    this.#handle = socket[ENTRANCE];
    this.#end = socket[EXIT];
    this.connection = open(this);
  }

  receive(packet: Packet): void {
    const { type, data, id } = packet;
    const isEvent = type === EVENT || type === BINARY_EVENT;
    if (type === DISCONNECT) this.deliver(packet);
    else if (!isEvent || !Array.isArray(data) || data[0] !== TOKEN) {
      const mayHaveToWait = this.#waiting.length > 0;
      if (this.connection.takes(packet, null, mayHaveToWait ? bytesOf(data) : 0)) this.deliver(packet);
    } else this.#present(data[1], id === undefined ? null : this.#socket.ack(id));
  }

  leave(why: unknown[]): unknown {
    this.connection.gone();
    return this.#end.call(this.#socket as never, ...why);
  }

  #present(token: unknown, answer: Answer | null): void {
    this.#waiting.push(answer);
    this.#isPresenting = true;
    const text = JSON.stringify({ type: TOKEN, token: typeof token === "string" ? token : null });
    this.connection.takes(null, text);
    this.#isPresenting = false;
  }

  deliver(packet: unknown): void {
    this.#handle.call(this.#socket as never, packet as Packet);
  }

  send(text: string): void {
    const { type, ...said } = JSON.parse(text) as { type: string };
    this.#socket.emit(type, said);
    if (type === "auth.expiring") return;
    // What is said at once is about the token that just came; it is not checked while another one is.
    const answer = this.#isPresenting ? this.#waiting.pop() : this.#waiting.shift();
    answer?.({ type, ...said });
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    try {
      socket.emit("auth.closed", { code, ...(JSON.parse(reason) as object) });
    } finally {
      // Also where the application throws, who listens to what goes out. Another namespace keeps the transport.
      socket.disconnect(socket.client.sockets.size <= 1);
    }
  }
}

/** About what a packet's data takes. Not by recursion: somebody else says how deep it is. */
function bytesOf(data: unknown): number {
  let bytes = 0;
  const left = [data];
  while (left.length > 0) {
    const one = left.pop();
    if (typeof one === "string") bytes += one.length;
    else if (ArrayBuffer.isView(one)) bytes += one.byteLength;
    else bytes += 8;
    if (typeof one !== "object" || ArrayBuffer.isView(one)) continue;
    for (const [name, value] of Object.entries(one ?? {})) left.push(name, value as unknown);
  }
  return bytes;
}
