import type { ConnectionHandle, SocketTransport } from "../../src/connections/types.ts";
import type { Recorder } from "../recorder.ts";
import type { SocketEnd, SocketMessage } from "./simulated-socket.ts";

/** What the history says about the guard of a socket at each of its operations. */
export type GuardFacts = () => Readonly<Record<string, unknown>>;

/** The parts of the server that a socket uses. */
interface ServerParts {
  readonly recorder: Recorder;
  readonly facts: GuardFacts;
  /** The age of the guard's view of revocations, milliseconds. */
  readonly viewAgeMs: () => number;
  readonly canPause: boolean;
}

/** Each waiting message counts for this size in addition to its own (docs/connections.md). */
const MESSAGE_OVERHEAD_BYTES = 1_024;

/** The status and the reason of a decision, by the code with which the server closes a connection for it. */
const closings: Readonly<Record<number, readonly [status: string, reason: string]>> = {
  4401: ["invalid", "expired"],
  4408: ["missing", "token_missing"],
  4429: ["limited", "too_many"],
  4453: ["unavailable", "try_later"],
  4501: ["invalid", "invalid_token"],
  4503: ["invalid", "revoked"],
  4504: ["foreign", "other_subject"],
};

/** The socket of one connection at the server. It records what the application and the peer see. */
export class ServerSocket implements SocketTransport {
  readonly name: string;
  readonly pause?: () => void;
  readonly resume?: () => void;
  readonly #end: SocketEnd;
  readonly #recorder: Recorder;
  readonly #facts: GuardFacts;
  readonly #viewAgeMs: ServerParts["viewAgeMs"];
  #handle: ConnectionHandle | null = null;
  /** The name of the token that the peer has presented last. */
  #presented: string | null;
  /** The name of the token in effect. */
  #token: string | null = null;
  #isOver = false;
  #waitingBytes = 0;
  #peakBytes = 0;

  /** `token` is that of the handshake, and `null` when the first message brings it. */
  constructor(
    { name, end }: { readonly name: string; readonly end: SocketEnd },
    parts: ServerParts,
    token: string | null,
  ) {
    this.name = name;
    this.#end = end;
    this.#recorder = parts.recorder;
    this.#facts = parts.facts;
    this.#viewAgeMs = parts.viewAgeMs;
    if (token === null) this.#record("socket expected");
    this.#presented = token === null ? null : parts.recorder.nameOf(token);
    if (!parts.canPause) return;
    this.pause = () => end.pause();
    this.resume = () => end.resume();
  }

  /** Whether one of the two sides has closed the connection. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Begins to read, as an adapter does right after the upgrade. */
  connect(handle: ConnectionHandle): void {
    this.#handle = handle;
    this.#end.onMessage = (message) => this.#receive(message);
    this.#end.onClose = () => {
      handle.closed();
      this.#record("socket gone");
      this.#isOver = true;
    };
  }

  send(text: string): void {
    const { type } = JSON.parse(text) as { type: string };
    if (type === "auth.ok") {
      this.#token = this.#presented;
      this.#record("socket token");
    } else if (type === "auth.expiring") this.#record("socket notice");
    this.#end.send({ text, data: null, bytes: text.length });
  }

  close(code: number, _reason: string): void {
    const [status, reason] = closings[code] ?? ["unknown", String(code)];
    const presented = this.#token === null ? { token: this.#presented } : {};
    const viewAgeMs = Math.round(this.#viewAgeMs());
    const call = { ...this.#facts(), ...this.#state(), ...presented, code, viewAgeMs };
    this.#recorder.call("close", call)({ status, reason });
    this.#isOver = true;
    this.#end.close(code);
  }

  deliver(message: unknown): void {
    const { bytes, data } = message as SocketMessage;
    this.#waitingBytes -= MESSAGE_OVERHEAD_BYTES + bytes;
    this.#accept(data);
  }

  #receive(message: SocketMessage): void {
    const { text, bytes } = message;
    if (text !== null) this.#notePresented(text);
    if (this.#handle?.receive(message, text, bytes) === true) this.#accept(message.data);
    else if (text === null && this.#handle?.state !== "closed") {
      this.#waitingBytes += MESSAGE_OVERHEAD_BYTES + bytes;
      this.#peakBytes = Math.max(this.#peakBytes, this.#waitingBytes);
    }
  }

  #notePresented(text: string): void {
    const { token } = JSON.parse(text) as { token: string };
    this.#presented = this.#recorder.nameOf(token);
    this.#record("socket presented", { token: this.#presented });
  }

  /** The application gets a message. */
  #accept(number: unknown): void {
    this.#recorder.call("message", { ...this.#facts(), ...this.#state(), number })({ status: "valid" });
  }

  #record(kind: string, more: Readonly<Record<string, unknown>> = {}): void {
    this.#recorder.record(kind, { ...this.#facts(), ...this.#state(), ...more });
  }

  #state(): Readonly<Record<string, unknown>> {
    return { socket: this.name, token: this.#token, waitingBytes: this.#peakBytes };
  }
}
