import type { Rules } from "../../core/rules.ts";
import { requireMethods } from "../../core/options.ts";
import type { ConnectionHandle, Connections, SocketTransport } from "../../connections/types.ts";
import type { Admission } from "../../guard/types.ts";

/** A packet of socket.io (protocol version 5). */
interface Packet {
  readonly type: number;
  readonly id?: number;
  readonly data?: unknown;
}

const DISCONNECT = 1;
const EVENT = 2;
const BINARY_EVENT = 5;

/** The event with which a client presents a token. */
const TOKEN_EVENT = "auth.token";

/**
 * The method that receives packets. It is not public, but `socket.use` is not enough: listeners of `onAny` and
 * acknowledgements bypass it.
 */
const ON_PACKET = "_onpacket";

/**
 * The method that ends a socket. The event `disconnect` is not enough: an application may remove its listeners, and a
 * listener that throws stops the later ones.
 */
const ON_CLOSE = "_onclose";

/** A socket that is attached to a connection. */
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

/** Opens the connection of a socket, and sets `socket.data.auth`. The connection may be closed when this returns. */
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

// All sockets share these two functions, so that a socket needs no closure.
function onPacket(this: AttachedSocket, packet: Packet): void {
  this[transportKey].handlePacket(packet);
}

function onClose(this: AttachedSocket, ...why: unknown[]): unknown {
  return this[transportKey].handleClose(why);
}

/** The transport of one connection on socket.io. */
class SocketIoTransport implements SocketTransport {
  readonly connection: ConnectionHandle<unknown>;
  readonly #socket: SocketIoSocket;
  /** The methods of socket.io that this transport replaces. */
  readonly #originalOnPacket: Attached[typeof ON_PACKET];
  readonly #originalOnClose: Attached[typeof ON_CLOSE];
  /** The acknowledgements of the tokens that are being checked. `null` for a token that was sent without one. */
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
    // A message that is sent at once is about the newest token. It is refused while another token is checked.
    const acknowledge = this.#isPresenting ? this.#acknowledgements.pop() : this.#acknowledgements.shift();
    acknowledge?.({ type, ...data });
  }

  close(code: number, reason: string): void {
    const socket = this.#socket;
    try {
      socket.emit("auth.closed", { code, ...(JSON.parse(reason) as object) });
    } finally {
      // A listener of outgoing events may throw. The transport stays open while another namespace uses it.
      socket.disconnect(socket.client.sockets.size <= 1);
    }
  }
}

/** Estimates the size of a packet's data. It does not recurse, because the peer chooses the depth. */
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
