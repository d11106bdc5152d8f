import type { Recorder } from "../recorder.ts";
import type { SocketEnd, SocketMessage } from "./simulated-socket.ts";

/** One connection, as its client sees it. */
export class ClientSocket {
  /** The close code. `null` while the connection is open. */
  code: number | null = null;
  /** Called when the server says that the token expires. */
  onExpiring: () => void = () => undefined;
  readonly #end: SocketEnd;
  readonly #name: string;
  readonly #recorder: Recorder;
  /** Settles the token that waits for its answer. `null` when none waits. */
  #settlePresented: ((status: string) => void) | null = null;
  /** Whether the server still has to confirm the token of the handshake. */
  #awaitsFirst: boolean;
  #sent = 0;

  /** `isAccepted` says whether the handshake had a token. */
  constructor(
    end: SocketEnd,
    {
      name,
      isAccepted,
      recorder,
    }: { readonly name: string; readonly isAccepted: boolean; readonly recorder: Recorder },
  ) {
    this.#end = end;
    this.#name = name;
    this.#recorder = recorder;
    this.#awaitsFirst = isAccepted;
    end.onMessage = (message) => this.#receive(message);
    end.onClose = (code) => {
      this.code = code;
      recorder.record("socket lost", { socket: name, code });
      this.#settle("closed");
    };
  }

  get isOpen(): boolean {
    return this.#end.isOpen;
  }

  close(): void {
    this.#end.close(1000);
  }

  /** Sends a numbered message of the application. */
  talk(bytes: number): void {
    this.#end.send({ text: null, data: ++this.#sent, bytes });
  }

  /** Presents a token, and waits for the answer. Only one token waits at a time. */
  async present(access: string, isForeign: boolean): Promise<void> {
    if (this.#settlePresented !== null || !this.isOpen) return;
    const token = this.#recorder.nameOf(access);
    const answer = this.#recorder.call("renew", { socket: this.#name, token, isForeign });
    const text = JSON.stringify({ type: "auth.token", token: access });
    const status = await new Promise<string>((resolve) => {
      this.#settlePresented = resolve;
      this.#end.send({ text, data: null, bytes: text.length });
    });
    answer({ status });
  }

  #receive({ text }: SocketMessage): void {
    const { type, error } = JSON.parse(text ?? "{}") as { type?: string; error?: string };
    if (type === "auth.expiring") this.onExpiring();
    else if (type === "auth.refused") this.#settle(error ?? "refused");
    else if (type !== "auth.ok") return;
    else if (this.#awaitsFirst) this.#awaitsFirst = false;
    else this.#settle("ok");
  }

  #settle(status: string): void {
    const settle = this.#settlePresented;
    this.#settlePresented = null;
    settle?.(status);
  }
}
