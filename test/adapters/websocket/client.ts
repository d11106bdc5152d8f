import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import { createConnection, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { WebSocket, type ClientOptions } from "ws";

/** The handshake of a client. */
export interface Offer {
  path?: string;
  headers?: Record<string, string>;
  protocols?: string[];
  options?: ClientOptions;
}

export interface RefusedHandshake {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Control = { type: string } & Record<string, unknown>;

/** A queue whose consumer can wait for the next item. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  push(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  async next(): Promise<T> {
    const item = this.#items.shift();
    return item ?? (await new Promise<T>((resolve) => this.#waiting.push(resolve)));
  }

  get length(): number {
    return this.#items.length;
  }
}

/** A client on `ws` that separates control messages from those of the application. */
export class Client {
  readonly socket: WebSocket;
  /** The headers of the 101 response. */
  readonly headers: IncomingMessage["headers"];
  readonly #control = new Queue<Control>();
  readonly #messages = new Queue<string | Buffer>();
  /** The close code, and the parsed reason. */
  readonly closed: Promise<{ code: number; error?: string; retry_after?: number }>;

  constructor(socket: WebSocket, headers: IncomingMessage["headers"]) {
    this.socket = socket;
    this.headers = headers;
    socket.on("message", (data: Buffer, isBinary) => {
      const said = data.toString();
      if (isBinary) this.#messages.push(data);
      else if (said.startsWith('{"type":"auth.')) this.#control.push(JSON.parse(said) as Control);
      else this.#messages.push(said);
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        resolve({ code, ...(reason.length > 0 && (JSON.parse(reason.toString()) as object)) });
      });
    });
    socket.on("error", () => {});
  }

  send(data: string | Buffer): void {
    this.socket.send(data);
  }

  /** Presents a token over the connection. */
  present(token: string): void {
    this.send(JSON.stringify({ type: "auth.token", token }));
  }

  /** Resolves with the next message of the application. */
  async next(): Promise<string | Buffer> {
    return await this.#messages.next();
  }

  /** Resolves with the next control message. */
  async told(): Promise<Control> {
    return await this.#control.next();
  }

  /** The number of messages of the application that were not read yet. */
  get unread(): number {
    return this.#messages.length;
  }
}

/** Connects. Resolves with the response when the handshake is refused. */
export async function dial(port: number, offer: Offer = {}): Promise<Client | RefusedHandshake> {
  const { path = "/chat", headers = {}, protocols = [], options } = offer;
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers, ...options });
  let upgraded: IncomingMessage["headers"] = {};
  socket.once("upgrade", ({ headers: said }) => (upgraded = said));
  const client = new Client(socket, upgraded);
  const refused = once(socket, "unexpected-response") as Promise<[ClientRequest, IncomingMessage]>;
  const opened = once(socket, "open").then(() => null);
  const answer = await Promise.race([opened, refused]);
  opened.catch(() => {});
  refused.catch(() => {});
  if (answer === null) return Object.assign(client, { headers: upgraded });
  const [, response] = answer;
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** Connects. Rejects when the handshake is refused. */
export async function connect(port: number, offer: Offer = {}): Promise<Client> {
  const client = await dial(port, offer);
  if (client instanceof Client) return client;
  throw new Error(`refused: ${client.status} ${client.body}`);
}

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

export const tokenSubprotocol = (token: string): string =>
  `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`;

/** Sends a handshake over a bare socket, with `more` right after it. The test reads the response. */
export async function sendHandshake(
  port: number,
  headers: Record<string, string>,
  more: Buffer = Buffer.alloc(0),
): Promise<Socket> {
  const socket = createConnection(port, "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  const lines = Object.entries({
    host: "api",
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(Buffer.concat([Buffer.from(`GET /chat HTTP/1.1\r\n${lines.join("")}\r\n`), more]));
  return socket;
}
