import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import type { ProxyControl, ActiveMode } from "./control.ts";
import { reset } from "./reset.ts";

/** What is held at most before the sender has to wait. */
const HELD_BYTES = 1_048_576;
const DRIP_MS = 1_000;

interface ForwardPlan {
  /** So many bytes go through. */
  readonly pass: number;
  /** Then it waits and plans again; without end for `Infinity`, unless the mode changes. */
  readonly waitMs?: number;
  /** Then the connection is over. */
  readonly cut?: "close" | "reset";
}

/** Carries what one socket says to another, as the control wants it. */
export class Pump {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #control: ProxyControl;
  readonly #clock: Clock;
  /** A request is held in a black hole, else it passes: only answers are tampered with. */
  readonly #isResponse: boolean;
  /** Everything so far has been carried. */
  #forwarded: Promise<void> = Promise.resolve();
  /** It cut the connection: nothing follows, whatever it still holds. */
  #isCut = false;
  #heldBytes = 0;
  /** What went through under `#countedUnder`. */
  #countedBytes = 0;
  #countedMode: ActiveMode | undefined;

  constructor(source: Socket, sink: Socket, control: ProxyControl, clock: Clock, answers: boolean) {
    this.#source = source;
    this.#sink = sink;
    this.#control = control;
    this.#clock = clock;
    this.#isResponse = answers;
  }

  start(): void {
    const nothing = Buffer.alloc(0);
    this.#source.on("data", (bytes) => this.#receive(bytes, () => {}));
    this.#source.once("end", () => this.#receive(nothing, () => this.#sink.end()));
    this.#source.once("close", (failed) => {
      if (failed) this.#receive(nothing, () => reset(this.#sink));
    });
    // "close" tells of it.
    this.#source.on("error", () => {});
  }

  #receive(bytes: Buffer, afterwards: () => void): void {
    this.#addHeldBytes(bytes.length);
    this.#forwarded = this.#forward(this.#forwarded, bytes, this.#clock.monotonic(), afterwards);
  }

  async #forward(
    earlier: Promise<void>,
    bytes: Buffer,
    arrivedAt: number,
    afterwards: () => void,
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
    if (!this.#isCut) afterwards();
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
    if (this.#heldBytes > HELD_BYTES) this.#source.pause();
    else this.#source.resume();
  }
}
