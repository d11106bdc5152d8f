import { controlPrefix } from "../../core/control-prefix.ts";
import type { CloseError, Connection, ConnectionHandle, SocketTransport } from "../../connections/index.ts";
import type { Accepted, HandshakeAuthorizer } from "./handshake.ts";
import { settingsFor, type SocketClosing } from "./message-settings.ts";
import type { TokenExtractor } from "./token-extractor.ts";

/** The part of a socket of `ws` that the transport uses. */
export interface WsSocket {
  readonly isPaused: boolean;
  /** The subprotocol that the server selected. `""` without one. */
  readonly protocol?: string;
  send(text: string): void;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
  listenerCount(event: string): number;
  emit(event: string | symbol, ...args: any[]): boolean;
}

/** Passes an open connection to the application. */
export interface ConnectionHost<C, S, R> {
  opened(socket: S, request: R & { readonly auth: Connection<C> }): void;
}

/** The set in which the library keeps its sockets. Applications send messages to all sockets in it. */
export type ClientSet<S> = Pick<Set<S>, "add" | "delete"> | undefined;

const controlPrefixBytes = Buffer.from(controlPrefix);

/** The greatest size of a control message. A longer one is refused by its beginning alone. */
const MAX_CONTROL_BYTES = 65_536;

const transportKey = Symbol("holdfast.transport");

type PatchedSocket = WsSocket & { [transportKey]: WsTransport<unknown, WsSocket, object> };

/**
 * Replaces `emit` of a socket. The connection gets each message before the application, whichever way the application
 * listens. All sockets share this function, so that a socket needs no closure.
 */
function emit(this: PatchedSocket, event: string | symbol, ...args: unknown[]): boolean {
  const transport = this[transportKey];
  if (event === "message" && !transport.receive(args)) return true;
  if (event === "close") transport.closed();
  // Without a listener, an error event ends the process, and a client can cause one with a malformed frame.
  if (event === "error" && this.listenerCount("error") === 0) return false;
  return transport.emitOriginal(event, ...args);
}

/** Returns the size of a message in any form that `binaryType` selects. */
function byteLength(data: Buffer | ArrayBuffer | Buffer[] | Blob): number {
  if (Array.isArray(data)) return data.reduce((sum, part) => sum + part.length, 0);
  return data instanceof Blob ? data.size : data.byteLength;
}

/** Whether an endpoint may send the code in a close frame (RFC 6455 §7.4). */
function isCloseCode(code: unknown): boolean {
  if (typeof code !== "number" || !Number.isInteger(code)) return false;
  const isStandard = code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
  return isStandard || (code >= 3000 && code <= 4999);
}

/** The transport of one connection on `ws`. */
export class WsTransport<C, S extends WsSocket, R extends object> implements SocketTransport {
  readonly #socket: S;
  readonly #host: ConnectionHost<C, S, R>;
  readonly #clients: ClientSet<S>;
  readonly #originalEmit: S["emit"];
  /** `null` after the application got the request. */
  #request: R | null;
  #connection: ConnectionHandle<C> | null = null;
  /** Whether this transport paused the socket. The application may pause it too. */
  #hasPaused = false;
  /** Whether messages about the token are sent and read. */
  #hasMessages = true;
  #closeCode = ({ code }: SocketClosing): number => code;
  #tokenExtractor: TokenExtractor | null = null;

  constructor(socket: S, request: R, host: ConnectionHost<C, S, R>, clients: ClientSet<S>) {
    this.#socket = socket;
    this.#request = request;
    this.#host = host;
    this.#clients = clients;
    // Other code may have replaced `emit` before.
    this.#originalEmit = Reflect.get(socket, "emit");
    Object.assign(socket, { [transportKey]: this, emit });
  }

  /** Connects right after the upgrade, before a message can arrive. */
  connect(authorizer: HandshakeAuthorizer<C>, accepted: Accepted<C>): void {
    const { hasMessages, closeCode } = settingsFor(authorizer.messages, this.#socket.protocol);
    this.#hasMessages = hasMessages;
    this.#closeCode = closeCode;
    this.#tokenExtractor = authorizer.tokenExtractor;
    // A socket without a token must not get the messages to all sockets.
    if (accepted.status === "expected") this.#clients?.delete(this.#socket);
    this.#connection = authorizer.connect(this, accepted);
    if (this.#connection.state === "open") this.opened();
  }

  opened(): void {
    // `connect` calls this again when it has the connection.
    if (this.#connection === null || this.#request === null) return;
    this.#clients?.add(this.#socket);
    const request = Object.assign(this.#request, { auth: this.#connection });
    this.#request = null;
    this.#host.opened(this.#socket, request);
  }

  /**
   * Returns whether the application gets the message now. `args` are `data` and `isBinary`, as `ws` emits them. The data of
   * a text message is always a buffer.
   */
  receive(args: unknown[]): boolean {
    const [data, isBinary] = args as [data: Buffer, isBinary: boolean];
    if (!isBinary) this.#presentTokenOf(data);
    const isControl =
      this.#hasMessages &&
      !isBinary &&
      data.length >= controlPrefixBytes.length &&
      controlPrefixBytes.compare(data, 0, controlPrefixBytes.length) === 0;
    const text = isControl ? (data.length > MAX_CONTROL_BYTES ? controlPrefix : data.toString()) : null;
    return this.#connection?.receive(args, text, byteLength(data)) === true;
  }

  /** Presents the token in a message of the application's own protocol, before the message itself waits for it. */
  #presentTokenOf(data: Buffer): void {
    const connection = this.#connection;
    const isFirst = connection?.state === "pending";
    if (this.#tokenExtractor?.readsMessages(isFirst) !== true || data.length > MAX_CONTROL_BYTES) return;
    const token = this.#tokenExtractor.readMessage(data.toString(), isFirst);
    if (token !== null) void connection?.presentToken(token);
  }

  closed(): void {
    this.#connection?.closed();
  }

  emitOriginal(event: string | symbol, ...args: unknown[]): boolean {
    return this.#originalEmit.call(this.#socket, event, ...args);
  }

  send(text: string): void {
    if (this.#hasMessages) this.#socket.send(text);
  }

  close(code: number, reason: string): void {
    this.#socket.close(this.#mapCloseCode(code, reason), reason);
    // The socket is closing, so it gets no more messages. In the set, a shutdown finds it if it does not answer.
    if (this.#request !== null) this.#clients?.add(this.#socket);
  }

  /** A code that cannot be sent must not keep the socket open. */
  #mapCloseCode(code: number, reason: string): number {
    try {
      const { error } = JSON.parse(reason) as { error: CloseError };
      const mapped = this.#closeCode({ code, error });
      return isCloseCode(mapped) ? mapped : code;
    } catch {
      return code;
    }
  }

  deliver(message: unknown): void {
    // The socket resumes first, so that the application can pause it again. It reads only after this turn.
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
