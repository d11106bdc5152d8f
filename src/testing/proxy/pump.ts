import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import type { ProxyControl, ActiveMode } from "./control.ts";
import { reset } from "./reset.ts";

/** The sender is paused while the pump holds more bytes than this. */
const MAX_HELD_BYTES = 1_048_576;
const DRIP_MS = 1_000;

interface ForwardPlan {
  /** Number of bytes that are forwarded now. */
  readonly pass: number;
  /** Time until the next plan. `Infinity` waits until the mode changes. */
  readonly waitMs?: number;
  /** How the connection then ends. */
  readonly cut?: "close" | "reset";
}

/** Forwards the bytes of one socket to another under the current mode. */
export class Pump {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #control: ProxyControl;
  readonly #clock: Clock;
  /** Whether the bytes are answers. Only a black hole affects requests. */
  readonly #isResponse: boolean;
  /** Resolves when all bytes so far are forwarded. */
  #forwarded: Promise<void> = Promise.resolve();
  /** Whether the pump has cut the connection. Held bytes are then discarded. */
  #isCut = false;
  #heldBytes = 0;
  /** Bytes forwarded under `#countedMode`. */
  #countedBytes = 0;
  #countedMode: ActiveMode | undefined;

  constructor(source: Socket, sink: Socket, control: ProxyControl, clock: Clock, isResponse: boolean) {
    this.#source = source;
    this.#sink = sink;
    this.#control = control;
    this.#clock = clock;
    this.#isResponse = isResponse;
  }

  start(): void {
    const nothing = Buffer.alloc(0);
    this.#source.on("data", (bytes) => this.#receive(bytes, () => {}));
    this.#source.once("end", () => this.#receive(nothing, () => this.#sink.end()));
    this.#source.once("close", (failed) => {
      if (failed) this.#receive(nothing, () => reset(this.#sink));
    });
    // The "close" event follows and reports the failure.
    this.#source.on("error", () => {});
  }

  #receive(bytes: Buffer, onForwarded: () => void): void {
    this.#addHeldBytes(bytes.length);
    this.#forwarded = this.#forward(this.#forwarded, bytes, this.#clock.monotonic(), onForwarded);
  }

  async #forward(
    earlier: Promise<void>,
    bytes: Buffer,
    arrivedAt: number,
    onForwarded: () => void,
  ): Promise<void> {
    await earlier;
    let left = bytes;
    while (!this.#isCut && !this.#sink.destroyed) {
      const { pass, waitMs, cut } = this.#plan(left.length, arrivedAt);
      if (pass > 0) await this.#write(left.subarray(0, pass));
      left = left.subarray(pass);
      if (cut !== undefined) this.#cut(cut);
      else if (waitMs === undefined) break;
      else await this.#control.wait(waitMs);
    }
    if (!this.#isCut) onForwarded();
  }

  #cut(how: "close" | "reset"): void {
    this.#isCut = true;
    if (how === "close") this.#sink.destroySoon();
    else reset(this.#sink);
    this.#source.destroy();
  }

  #plan(length: number, arrivedAt: number): ForwardPlan {
    const { mode } = this.#control;
    if (mode !== this.#countedMode) this.#countedBytes = 0;
    this.#countedMode = mode;
    if (mode.kind === "black-hole") return { pass: 0, waitMs: Infinity };
    if (!this.#isResponse || length === 0) return { pass: length };
    if (mode.kind === "slow-loris") return { pass: 1, waitMs: DRIP_MS };
    if (mode.kind === "reset") return { pass: length >> 1, cut: "reset" };
    if (mode.kind === "truncate" && this.#countedBytes + length >= mode.bytes) {
      return { pass: mode.bytes - this.#countedBytes, cut: "close" };
    }
    const lateMs = mode.kind === "latency" ? arrivedAt + mode.ms - this.#clock.monotonic() : 0;
    return lateMs > 0 ? { pass: 0, waitMs: lateMs } : { pass: length };
  }

  async #write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve) => this.#sink.write(bytes, () => resolve()));
    this.#countedBytes += bytes.length;
    this.#addHeldBytes(-bytes.length);
  }

  #addHeldBytes(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#source.pause();
    else this.#source.resume();
  }
}
