import { controlPrefix } from "../../core/control-prefix.ts";
import type { ConnectionHandle, Connection, SocketTransport } from "../../connections/index.ts";
import type { HandshakeAuthorizer, Accepted } from "./handshake.ts";

/** What is used of a socket of `ws`. */
export interface WsSocket {
  readonly isPaused: boolean;
  send(text: string): void;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
  listenerCount(event: string): number;
  emit(event: string | symbol, ...args: any[]): boolean;
}

/** Who tells the application that there is a connection. */
export interface ConnectionHost<C, S, R> {
  opened(socket: S, request: R & { readonly auth: Connection<C> }): void;
}

/** Where the library keeps its sockets, if it does. Applications send to all that are in it. */
export type ClientSet<S> = Pick<Set<S>, "add" | "delete"> | undefined;

const controlPrefixBytes = Buffer.from(controlPrefix);

/** No token needs more. Of a longer message the beginning is enough to refuse it. */
const MAX_CONTROL_BYTES = 65_536;

const transportKey = Symbol("holdfast.transport");

type PatchedSocket = WsSocket & { [transportKey]: WsTransport<unknown, WsSocket, object> };

/**
 * Takes the place of a socket's own `emit`: messages pass the connection before the application sees them, whatever way
 * it listens. One function for all sockets.
 */
function emit(this: PatchedSocket, event: string | symbol, ...args: unknown[]): boolean {
  const own = this[transportKey];
  if (event === "message" && !own.receive(args)) return true;
  if (event === "close") own.closed();
  // A client could end the process of whoever has no listener: by a frame that is none.
  if (event === "error" && this.listenerCount("error") === 0) return false;
  return own.emitOriginal(event, ...args);
}

/** Of a message in any form that `binaryType` gives it. */
function byteLength(data: Buffer | ArrayBuffer | Buffer[] | Blob): number {
  if (Array.isArray(data)) return data.reduce((sum, part) => sum + part.length, 0);
  return data instanceof Blob ? data.size : data.byteLength;
}

/** The line of one connection on `ws`. */
export class WsTransport<C, S extends WsSocket, R extends object> implements SocketTransport {
  readonly #socket: S;
  readonly #host: ConnectionHost<C, S, R>;
  readonly #clients: ClientSet<S>;
  readonly #originalEmit: S["emit"];
  /** Until the application has it. */
  #request: R | null;
  #connection: ConnectionHandle<C> | null = null;
  /** Whether it was us who stopped reading. */
  #hasPaused = false;

  constructor(socket: S, request: R, host: ConnectionHost<C, S, R>, clients: ClientSet<S>) {
    this.#socket = socket;
    this.#request = request;
    this.#host = host;
    this.#clients = clients;
    // Somebody else's, where that took its place before.
    this.#originalEmit = Reflect.get(socket, "emit");
    Object.assign(socket, { [transportKey]: this, emit });
  }

  /** Right after the upgrade, before anything can arrive. */
  connect(authorizer: HandshakeAuthorizer<C>, accepted: Accepted<C>): void {
    // What is sent to all is not for those who have yet to show a token.
    if (accepted.status === "expected") this.#clients?.delete(this.#socket);
    this.#connection = authorizer.connect(this, accepted);
    if (this.#connection.state === "open") this.opened();
  }

  opened(): void {
    // While it is being entered, there is no connection to tell of.
    if (this.#connection === null || this.#request === null) return;
    this.#clients?.add(this.#socket);
    const request = Object.assign(this.#request, { auth: this.#connection });
    this.#request = null;
    this.#host.opened(this.#socket, request);
  }

  /** Whether the application gets a message now: `data` and `isBinary` as `ws` emits them. Text is always a buffer. */
  receive(args: unknown[]): boolean {
    const [data, isBinary] = args as [data: Buffer, isBinary: boolean];
    const isControl =
      !isBinary &&
      data.length >= controlPrefixBytes.length &&
      controlPrefixBytes.compare(data, 0, controlPrefixBytes.length) === 0;
    const text = isControl ? (data.length > MAX_CONTROL_BYTES ? controlPrefix : data.toString()) : null;
    return this.#connection?.receive(args, text, byteLength(data)) === true;
  }

  closed(): void {
    this.#connection?.closed();
  }

  emitOriginal(event: string | symbol, ...args: unknown[]): boolean {
    return this.#originalEmit.call(this.#socket, event, ...args);
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // Nothing is sent to it any more, and whoever shuts down finds those there who do not answer.
    if (this.#request !== null) this.#clients?.add(this.#socket);
  }

  deliver(message: unknown): void {
    // First, so that an application that wants to pause can. Reading begins only after this turn.
    this.resume();
    this.emitOriginal("message", ...(message as unknown[]));
  }

  pause(): void {
    if (this.#socket.isPaused) return;
    this.#hasPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#hasPaused) return;
    this.#hasPaused = false;
    this.#socket.resume();
  }
}
