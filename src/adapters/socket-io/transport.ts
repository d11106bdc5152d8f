import type { Rules } from "../../core/rules.ts";
import { requireMethods } from "../../core/options.ts";
import type { ConnectionHandle, Connections, SocketTransport } from "../../connections/types.ts";
import type { Admission } from "../../guard/types.ts";

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
const TOKEN_EVENT = "auth.token";

/**
 * Where packets come in. It is not of the public interface, and `socket.use` will not do in its place: what listens with
 * `onAny`, and answers to questions of the server, pass that by.
 */
const ON_PACKET = "_onpacket";

/** Where its end is told of. An application may take all listeners away, and one that throws keeps it from the others. */
const ON_CLOSE = "_onclose";

/** A socket of socket.io. */
export interface Attached {
  data: { auth?: unknown };
  readonly client: unknown;
  emit(event: string, data: unknown): unknown;
  disconnect(close?: boolean): unknown;
  [ON_PACKET]: (this: never, packet: Packet) => void;
  [ON_CLOSE]: (this: never, ...why: unknown[]) => unknown;
}

type Acknowledge = (data: unknown) => void;

interface SocketIoSocket extends Attached {
  readonly client: { readonly sockets: ReadonlyMap<string, unknown> };
  ack(id: number): Acknowledge;
}

const transportKey = Symbol("holdfast.transport");

type AttachedSocket = SocketIoSocket & { [transportKey]: SocketIoTransport };

/** Gives a socket that has joined its connection, on `socket.data.auth`. That may be closed when this returns. */
export function attachConnection<C>(
  joined: Attached,
  connections: Connections<C>,
  admission: Admission<C>,
  rules: Rules,
): void {
  const socket = joined as AttachedSocket;
  requireMethods("protect", "a socket of socket.io", socket, [ON_PACKET, ON_CLOSE, "ack"]);
  requireMethods("protect", "client.sockets of socket.io", socket.client.sockets, ["values"]);
  socket[transportKey] = new SocketIoTransport(socket, (transport) =>
    connections.open(transport, admission, rules),
  );
  socket.data.auth = socket[transportKey].connection;
  socket[ON_PACKET] = onPacket;
  socket[ON_CLOSE] = onClose;
}

// For all sockets: no closure each.
function onPacket(this: AttachedSocket, packet: Packet): void {
  this[transportKey].handlePacket(packet);
}

function onClose(this: AttachedSocket, ...why: unknown[]): unknown {
  return this[transportKey].handleClose(why);
}

/** What a connection does with its socket. */
class SocketIoTransport implements SocketTransport {
  readonly connection: ConnectionHandle<unknown>;
  readonly #socket: SocketIoSocket;
  /** What socket.io does with a packet, and at the end. */
  readonly #originalOnPacket: Attached[typeof ON_PACKET];
  readonly #originalOnClose: Attached[typeof ON_CLOSE];
  /** Who waits for what becomes of a token; `null` who does not. */
  readonly #acknowledgements: (Acknowledge | null)[] = [];
  #isPresenting = false;

  constructor(socket: SocketIoSocket, open: (transport: SocketTransport) => ConnectionHandle<unknown>) {
    this.#socket = socket;
    this.#originalOnPacket = socket[ON_PACKET];
    this.#originalOnClose = socket[ON_CLOSE];
    this.connection = open(this);
  }

  handlePacket(packet: Packet): void {
    const { type, data, id } = packet;
    const isEvent = type === EVENT || type === BINARY_EVENT;
    if (type === DISCONNECT) this.deliver(packet);
    else if (!isEvent || !Array.isArray(data) || data[0] !== TOKEN_EVENT) {
      const mayBeQueued = this.#acknowledgements.length > 0;
      if (this.connection.receive(packet, null, mayBeQueued ? estimateBytes(data) : 0)) this.deliver(packet);
    } else this.#presentToken(data[1], id === undefined ? null : this.#socket.ack(id));
  }

  handleClose(why: unknown[]): unknown {
    this.connection.closed();
    return this.#originalOnClose.call(this.#socket as never, ...why);
  }

  #presentToken(token: unknown, acknowledge: Acknowledge | null): void {
    this.#acknowledgements.push(acknowledge);
    this.#isPresenting = true;
    const text = JSON.stringify({ type: TOKEN_EVENT, token: typeof token === "string" ? token : null });
    this.connection.receive(null, text);
    this.#isPresenting = false;
  }

  deliver(packet: unknown): void {
    this.#originalOnPacket.call(this.#socket as never, packet as Packet);
  }

  send(text: string): void {
    const { type, ...data } = JSON.parse(text) as { type: string };
    this.#socket.emit(type, data);
    if (type === "auth.expiring") return;
    // What is data at once is about the token that just came; it is not checked while another one is.
    const acknowledge = this.#isPresenting ? this.#acknowledgements.pop() : this.#acknowledgements.shift();
    acknowledge?.({ type, ...data });
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
function estimateBytes(data: unknown): number {
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
