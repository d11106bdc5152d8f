import { Unavailable } from "./errors.ts";
import { parseObject } from "./json.ts";
import { isOffline } from "./online.ts";
import type { Session } from "./session.ts";
import type { AuthRecord, AuthSocket, ConnectOptions } from "./types.ts";

const MAX_DELAY_MS = 30_000;
/** The server answers a token within this time. */
const ANSWER_MS = 10_000;

const ABNORMAL = 1006;
const TOKEN_EXPIRED = 4401;
const FINAL = 4500;
/** A new token may be accepted after these codes: `invalid_token` and `token_revoked`. */
const renewable = [4501, 4503];
const OTHER_SUBJECT = 4504;

/** A message of the protocol, or the reason of a close frame. */
interface ServerMessage {
  readonly type?: string;
  readonly error?: string;
  /** Seconds. */
  readonly retry_after?: number;
}

/** Keeps one WebSocket open, by the protocol of docs/websockets.md. */
export class LiveSocket implements AuthSocket {
  state: AuthSocket["state"] = "waiting";
  readonly #session: Session;
  readonly #url: URL;
  readonly #options: ConnectOptions;
  readonly #queue: Parameters<AuthSocket["send"]>[0][] = [];
  #socket: WebSocket | null = null;
  /** The record whose token the server has. Before that, a record of the user to whom the queued messages belong. */
  #presented: AuthRecord;
  #tries = 0;
  /** Whether the next attempt needs another token than the presented one. */
  #needsFresh = false;
  /** Whether a fresh token was refused, too. */
  #hasTriedFresh = false;
  #cancelTimer = (): void => undefined;

  constructor(session: Session, url: URL, options: ConnectOptions = {}) {
    this.#session = session;
    this.#url = url;
    this.#options = options;
    this.#presented = session.record;
    session.listeners.add(this.#check);
    session.wakers.add(this.#wake);
    this.#wake();
  }

  send(data: Parameters<AuthSocket["send"]>[0]): boolean {
    if (this.state === "open") this.#socket?.send(data);
    else if (this.state === "ended" || this.#queue.length >= (this.#options.maxQueue ?? 100)) return false;
    else this.#queue.push(data);
    return true;
  }

  close(): void {
    this.#end(1000);
  }

  /** Ends the connection when its user has logged out, or another one has logged in. */
  readonly #check = (): void => {
    const { record, state } = this.#session;
    if (state.status === "out") this.close();
    // The page may not have read its record when it connected.
    if (!this.#presented.sub) this.#presented = record;
    if (record.sub !== this.#presented.sub) this.#end(OTHER_SUBJECT, "other_subject");
  };

  readonly #wake = (): void => void this.#present();

  /** Sends the token over the open connection, or with a new one. A server that does not answer is gone. */
  async #present(): Promise<void> {
    const { hasCookies, clock, record: known } = this.#session;
    const socket = this.#socket;
    const needsFresh = this.#needsFresh;
    // A page also wakes while it connects. The handshake brings the token, and nothing can be sent yet.
    if (socket?.readyState === WebSocket.CONNECTING) return;
    this.#cancelTimer();
    try {
      const record = await this.#session.obtain({ fresh: needsFresh && known.n === this.#presented.n });
      this.#check();
      if (this.state === "ended" || socket !== this.#socket) return;
      this.#presented = record;
      this.#needsFresh = false;
      // No script can read the cookie, so the handshake of a new connection brings it.
      if (socket !== null && hasCookies)
        return needsFresh ? this.#lost(TOKEN_EXPIRED, { retry_after: 0 }) : undefined;
      this.#cancelTimer = clock.after(ANSWER_MS, () => this.#lost(ABNORMAL));
      if (socket === null) this.#open(record);
      else socket.send(tokenMessage(record));
    } catch (error) {
      if (error instanceof Unavailable) this.#later(error.retryAfterMs + this.#backOffMs());
      else this.close();
    }
  }

  #open(record: AuthRecord): void {
    const { protocols = ["holdfast"], firstMessage, binaryType = "blob" } = this.#options;
    const inHandshake = firstMessage || this.#session.hasCookies ? [] : [subprotocolOf(record)];
    const socket = new WebSocket(this.#url, [...protocols, ...inHandshake]);
    this.#socket = socket;
    socket.binaryType = binaryType;
    socket.onopen = () => {
      if (firstMessage) socket.send(tokenMessage(record));
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#receive(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#lost(code, parseObject(reason));
    };
  }

  #receive(data: unknown): void {
    if (!String(data).startsWith('{"type":"auth.')) return this.#options.onMessage?.(data);
    const { type, retry_after: seconds } = parseObject(String(data)) as ServerMessage;
    if (type === "auth.ok") return this.#accepted();
    if (type === "auth.refused") {
      if (seconds !== undefined) return this.#later(seconds * 1000);
      this.#cancelTimer();
      if (this.#hasTriedFresh) return;
      this.#hasTriedFresh = true;
    }
    this.#needsFresh = true;
    this.#wake();
  }

  #accepted(): void {
    this.#cancelTimer();
    this.#tries = 0;
    this.#hasTriedFresh = false;
    if (this.state === "open") return;
    this.state = "open";
    for (const data of this.#queue.splice(0)) this.#socket?.send(data);
    this.#options.onOpen?.();
  }

  #lost(code: number, { error, retry_after: seconds }: ServerMessage = {}): void {
    const wasOpen = this.state === "open";
    const isRenewable = renewable.includes(code) || (code === ABNORMAL && !wasOpen);
    const triesFresh = isRenewable && !this.#hasTriedFresh;
    if (code >= FINAL && !triesFresh) return this.#end(code, error);
    this.#socket?.close();
    this.#socket = null;
    this.state = "waiting";
    this.#hasTriedFresh ||= triesFresh;
    this.#needsFresh = triesFresh || code === TOKEN_EXPIRED;
    this.#later(seconds === undefined ? this.#backOffMs() : seconds * 1000);
    if (wasOpen) this.#options.onLost?.(code);
  }

  #end(code: number, error = ""): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.#session.listeners.delete(this.#check);
    this.#session.wakers.delete(this.#wake);
    this.#cancelTimer();
    this.#socket?.close(1000);
    this.#socket = null;
    this.#options.onEnd?.({ code, error });
  }

  #backOffMs(): number {
    const { random = Math.random } = this.#session.options;
    return random() * Math.min(MAX_DELAY_MS, 1000 * 2 ** this.#tries++);
  }

  /** Sets the timer. A device that is offline wakes the connection when it is online. */
  #later(ms: number): void {
    this.#cancelTimer();
    if (!isOffline()) this.#cancelTimer = this.#session.clock.after(ms, this.#wake);
  }
}

const tokenMessage = ({ access: token }: AuthRecord) => JSON.stringify({ type: "auth.token", token });

/** The token as a subprotocol, as in Kubernetes. A browser cannot send a header with a handshake. */
function subprotocolOf({ access }: AuthRecord): string {
  const encoded = btoa(access).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `base64url.bearer.authorization.k8s.io.${encoded}`;
}
