import { controlPrefix } from "../../core/control-prefix.ts";
import type { ConnectionLine, Connection, Line } from "../../guard/connections.ts";
import type { Entrance, Welcome } from "./entrance.ts";

/** What is used of a socket of `ws`. */
export interface Socket {
  readonly isPaused: boolean;
  send(text: string): void;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
  listenerCount(event: string): number;
  emit(event: string | symbol, ...args: any[]): boolean;
}

/** Who tells the application that there is a connection. */
export interface Host<C, S, R> {
  opened(socket: S, request: R & { readonly auth: Connection<C> }): void;
}

/** Where the library keeps its sockets, if it does. Applications send to all that are in it. */
export type Clients<S> = Pick<Set<S>, "add" | "delete"> | undefined;

const prefix = Buffer.from(controlPrefix);

/** No token needs more. Of a longer message the beginning is enough to refuse it. */
const MAX_CONTROL_BYTES = 65_536;

const line = Symbol("holdfast.line");

type Gated = Socket & { [line]: SocketLine<unknown, Socket, object> };

/**
 * Takes the place of a socket's own `emit`: messages pass the connection before the application sees them, whatever way
 * it listens. One function for all sockets.
 */
function emit(this: Gated, event: string | symbol, ...args: unknown[]): boolean {
  const own = this[line];
  if (event === "message" && !own.takes(args)) return true;
  if (event === "close") own.gone();
  // A client could end the process of whoever has no listener: by a frame that is none.
  if (event === "error" && this.listenerCount("error") === 0) return false;
  return own.emit(event, ...args);
}

/** Of a message in any form that `binaryType` gives it. */
function bytesOf(data: Buffer | ArrayBuffer | Buffer[] | Blob): number {
  if (Array.isArray(data)) return data.reduce((sum, part) => sum + part.length, 0);
  return data instanceof Blob ? data.size : data.byteLength;
}

/** The line of one connection on `ws`. */
export class SocketLine<C, S extends Socket, R extends object> implements Line {
  readonly #socket: S;
  readonly #host: Host<C, S, R>;
  readonly #clients: Clients<S>;
  readonly #emit: S["emit"];
  /** Until the application has it. */
  #request: R | null;
  #connection: ConnectionLine<C> | null = null;
  /** Whether it was us who stopped reading. */
  #isPausing = false;

  constructor(socket: S, request: R, host: Host<C, S, R>, clients: Clients<S>) {
    this.#socket = socket;
    this.#request = request;
    this.#host = host;
    this.#clients = clients;
    // Somebody else's, where that took its place before.
    this.#emit = Reflect.get(socket, "emit");
    Object.assign(socket, { [line]: this, emit });
  }

  /** Right after the upgrade, before anything can arrive. */
  enter(entrance: Entrance<C>, welcome: Welcome<C>): void {
    // What is sent to all is not for those who have yet to show a token.
    if (welcome.status === "expected") this.#clients?.delete(this.#socket);
    this.#connection = entrance.enter(this, welcome);
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
  takes(args: unknown[]): boolean {
    const [data, isBinary] = args as [data: Buffer, isBinary: boolean];
    const isControl =
      !isBinary && data.length >= prefix.length && prefix.compare(data, 0, prefix.length) === 0;
    const text = isControl ? (data.length > MAX_CONTROL_BYTES ? controlPrefix : data.toString()) : null;
    return this.#connection?.takes(args, text, bytesOf(data)) === true;
  }

  gone(): void {
    this.#connection?.gone();
  }

  emit(event: string | symbol, ...args: unknown[]): boolean {
    return this.#emit.call(this.#socket, event, ...args);
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
    this.emit("message", ...(message as unknown[]));
  }

  pause(): void {
    if (this.#socket.isPaused) return;
    this.#isPausing = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPausing) return;
    this.#isPausing = false;
    this.#socket.resume();
  }
}
