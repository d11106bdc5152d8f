import { FINAL, INVALID_TOKEN, OTHER_SUBJECT, TOKEN_EXPIRED, TOKEN_REVOKED } from "./close-codes.ts";
import type { Ended, Unavailable } from "./errors.ts";
import { deviceClock } from "./platform.ts";
import { BACK_OFF_MS, PAUSE_MS } from "./timing.ts";
import type { AuthClient, ClientClock, SocketEnd } from "./types.ts";

/** The part of a client socket of socket.io 4 that is used here. */
export interface SocketIoSocket {
  auth: Record<string, unknown> | ((give: (data: object) => void) => void);
  readonly connected: boolean;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  connect(): unknown;
  disconnect(): unknown;
}

/** Options of `authenticateSocket`. */
export interface AuthenticateSocketOptions {
  /** Called once, when the socket does not connect again: the session has ended, or the server refuses its token. */
  onEnd?: (end: SocketEnd) => void;
  /** Default: the clocks of the device. */
  clock?: ClientClock;
  /** Returns a number from 0 to 1. Default: `Math.random`. */
  random?: () => number;
}

/** The server's reason for a socket that it closes or refuses. Seconds. */
interface Refusal {
  readonly code: number;
  readonly error: string;
  readonly retry_after?: number;
}

/** The answer of the server to a new token. */
interface TokenAnswer {
  readonly type?: string;
  readonly error?: string;
  readonly retry_after?: number;
}

/** A fresh token may be accepted after these codes. */
const renewable = [INVALID_TOKEN, TOKEN_REVOKED];
const closed: SocketEnd = { code: 1000, error: "" };

/**
 * Lets the session of the user drive a socket of socket.io: each connect sends a usable token, a new token goes over the
 * open socket before the old one expires, and after a refusal the socket connects again when the server allows it. While
 * no token can be had, the socket stays disconnected and tries again. The returned function disconnects it for good.
 *
 * @example
 * ```ts
 * import { createAuthClient } from "holdfast/client";
 * import { authenticateSocket } from "holdfast/client/socket-io";
 * import { io } from "socket.io-client";
 *
 * const auth = createAuthClient({ baseUrl: "https://id.example.com" });
 * const socket = io("https://chat.example.com", { autoConnect: false });
 * authenticateSocket(auth, socket, { onEnd: ({ code }) => console.log(`closed with ${code}`) });
 * socket.on("said", (text: string) => console.log(text));
 * ```
 */
export function authenticateSocket(
  auth: AuthClient,
  socket: SocketIoSocket,
  options: AuthenticateSocketOptions = {},
): () => void {
  const driver = new SocketDriver(auth, socket, options);
  driver.start();
  return () => driver.end(closed);
}

class SocketDriver {
  readonly #auth: AuthClient;
  readonly #socket: SocketIoSocket;
  readonly #options: AuthenticateSocketOptions;
  readonly #clock: ClientClock;
  readonly #given: Record<string, unknown>;
  readonly #stops: (() => void)[] = [];
  #subject: string | null = null;
  /** Grows with each connect and disconnect, so that a late token is not sent over another connection. */
  #connection = 0;
  #failures = 0;
  #needsFreshToken = false;
  /** The refusal of a token that a fresh one may replace. `null` when the last token was accepted. */
  #refusal: SocketEnd | null = null;
  #isOver = false;
  #cancelTimer = (): void => undefined;

  constructor(auth: AuthClient, socket: SocketIoSocket, options: AuthenticateSocketOptions) {
    this.#auth = auth;
    this.#socket = socket;
    this.#options = options;
    this.#clock = options.clock ?? deviceClock;
    this.#given = typeof socket.auth === "object" ? socket.auth : {};
  }

  start(): void {
    this.#socket.auth = (give) => void this.#authenticate(give);
    this.#listen("connect", () => this.#accepted());
    this.#listen("disconnect", () => this.#connection++);
    this.#listen("auth.expiring", ({ expires_in }: { expires_in: number }) => {
      void this.#present({ minLifeMs: expires_in * 1000 + 1 });
    });
    this.#listen("auth.closed", (refusal: Refusal) => this.#refused(refusal));
    this.#listen("connect_error", ({ data }: { data?: Refusal }) => {
      // Without data the network failed, and socket.io connects again.
      if (typeof data?.code === "number") this.#refused(data);
    });
    this.#stops.push(this.#auth.subscribe(() => this.#checkSession()));
    const { state } = this.#auth;
    // Events that wait for the connect are those of this user.
    if (state.status === "in") this.#subject = state.subject;
    this.#socket.connect();
  }

  end(end: SocketEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection++;
    this.#cancelTimer();
    for (const stop of this.#stops) stop();
    this.#socket.disconnect();
    this.#options.onEnd?.(end);
  }

  #listen(event: string, listener: (value: never) => void): void {
    const call = listener as (...args: unknown[]) => void;
    this.#socket.on(event, call);
    this.#stops.push(() => this.#socket.off(event, call));
  }

  /** Sends the token of a connect, which waits for it. */
  async #authenticate(give: (data: object) => void): Promise<void> {
    this.#cancelTimer();
    const connection = ++this.#connection;
    try {
      const token = await this.#auth.accessToken();
      if (connection !== this.#connection) return;
      this.#checkSession();
      if (!this.#isOver) give({ ...this.#given, token });
    } catch (error) {
      if (connection !== this.#connection) return;
      // The server would close a transport that joins no namespace.
      this.#socket.disconnect();
      this.#failed(error);
    }
  }

  /** Connects, with a fresh token when the last one was refused. A cookie must be fresh before the transport opens. */
  async #connect(): Promise<void> {
    try {
      if (this.#needsFreshToken) await this.#auth.accessToken({ fresh: true });
      this.#needsFreshToken = false;
      if (!this.#isOver) this.#socket.connect();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (isEnded(error)) return this.end(this.#refusal ?? closed);
    this.#connectLater(retryAfter(error));
  }

  /** Sends a new token over the open socket. The old one stays in effect until it expires. */
  async #present(
    wanted: { fresh?: boolean; minLifeMs?: number },
    connection = this.#connection,
  ): Promise<void> {
    try {
      if (connection !== this.#connection) return;
      const token = await this.#auth.accessToken(wanted);
      if (connection !== this.#connection || !this.#socket.connected) return;
      // In cookie mode no script has the token, and only a new transport brings the new cookie.
      if (token === "") {
        this.#socket.disconnect();
        this.#socket.connect();
        return;
      }
      this.#socket.emit("auth.token", token, (answer: TokenAnswer | undefined) => {
        if (connection === this.#connection) this.#answered(answer);
      });
    } catch (error) {
      if (connection !== this.#connection || isEnded(error)) return;
      this.#later(retryAfter(error), () => void this.#present(wanted, connection));
    }
  }

  #answered(answer: TokenAnswer | undefined): void {
    if (answer?.type !== "auth.refused") return this.#accepted();
    const isBusy = answer.error === "temporarily_unavailable" || answer.error === "busy";
    const connection = this.#connection;
    this.#later((answer.retry_after ?? 0) * 1000, () => void this.#present({ fresh: !isBusy }, connection));
  }

  #accepted(): void {
    this.#failures = 0;
    this.#refusal = null;
  }

  #refused({ code, error, retry_after = 0 }: Refusal): void {
    const isRenewable = renewable.includes(code) && this.#refusal === null;
    if (code >= FINAL && !isRenewable) return this.end({ code, error });
    if (isRenewable) this.#refusal = { code, error };
    this.#needsFreshToken ||= isRenewable || code === TOKEN_EXPIRED;
    this.#connectLater(retry_after * 1000);
  }

  #connectLater(ms: number): void {
    this.#later(ms, () => void this.#connect());
  }

  /** Calls `act` after `ms`, or later: the delay grows with each failure, and no two clients choose the same. */
  #later(ms: number, act: () => void): void {
    this.#cancelTimer();
    if (this.#isOver) return;
    const random = (this.#options.random ?? Math.random)();
    const backOffMs = random * Math.min(PAUSE_MS, BACK_OFF_MS * 2 ** this.#failures++);
    this.#cancelTimer = this.#clock.after(ms + backOffMs, act);
  }

  /** Ends the socket when the user has logged out, or when another user has logged in. */
  #checkSession(): void {
    const { state } = this.#auth;
    if (state.status === "out") return this.end(this.#refusal ?? closed);
    if (state.status !== "in") return;
    this.#subject ??= state.subject;
    if (state.subject !== this.#subject) this.end({ code: OTHER_SUBJECT, error: "other_subject" });
  }
}

/** Decides by the name, because the client can come from the other package, which has classes that differ. */
function isEnded(error: unknown): boolean {
  return (error as Partial<Ended> | null)?.name === "Ended";
}

function retryAfter(error: unknown): number {
  return (error as Partial<Unavailable> | null)?.retryAfterMs ?? 0;
}
