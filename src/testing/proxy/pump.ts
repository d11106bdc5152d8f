import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import type { Control, Doing } from "./control.ts";
import { reset } from "./reset.ts";

/** What is held at most before the sender has to wait. */
const HELD_BYTES = 1_048_576;
const DRIP_MS = 1_000;

interface Plan {
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
  readonly #control: Control;
  readonly #clock: Clock;
  /** A request is held in a black hole, else it passes: only answers are tampered with. */
  readonly #answers: boolean;
  /** Everything so far has been carried. */
  #carried: Promise<void> = Promise.resolve();
  /** It cut the connection: nothing follows, whatever it still holds. */
  #over = false;
  #heldBytes = 0;
  /** What went through under `#countedUnder`. */
  #counted = 0;
  #countedUnder: Doing | undefined;

  constructor(source: Socket, sink: Socket, control: Control, clock: Clock, answers: boolean) {
    this.#source = source;
    this.#sink = sink;
    this.#control = control;
    this.#clock = clock;
    this.#answers = answers;
  }

  start(): void {
    const nothing = Buffer.alloc(0);
    this.#source.on("data", (bytes) => this.#take(bytes, () => {}));
    this.#source.once("end", () => this.#take(nothing, () => this.#sink.end()));
    this.#source.once("close", (failed) => {
      if (failed) this.#take(nothing, () => reset(this.#sink));
    });
    // "close" tells of it.
    this.#source.on("error", () => {});
  }

  #take(bytes: Buffer, afterwards: () => void): void {
    this.#hold(bytes.length);
    this.#carried = this.#carry(this.#carried, bytes, this.#clock.monotonic(), afterwards);
  }

  async #carry(
    earlier: Promise<void>,
    bytes: Buffer,
    arrivedAt: number,
    afterwards: () => void,
  ): Promise<void> {
    await earlier;
    let left = bytes;
    while (!this.#over && !this.#sink.destroyed) {
      const { pass, waitMs, cut } = this.#plan(left.length, arrivedAt);
      if (pass > 0) await this.#write(left.subarray(0, pass));
      left = left.subarray(pass);
      if (cut !== undefined) this.#cut(cut);
      else if (waitMs === undefined) break;
      else await this.#control.wait(waitMs);
    }
    if (!this.#over) afterwards();
  }

  #cut(how: "close" | "reset"): void {
    this.#over = true;
    if (how === "close") this.#sink.destroySoon();
    else reset(this.#sink);
    this.#source.destroy();
  }

  #plan(length: number, arrivedAt: number): Plan {
    const { doing } = this.#control;
    if (doing !== this.#countedUnder) this.#counted = 0;
    this.#countedUnder = doing;
    if (doing.kind === "black-hole") return { pass: 0, waitMs: Infinity };
    if (!this.#answers || length === 0) return { pass: length };
    if (doing.kind === "slow-loris") return { pass: 1, waitMs: DRIP_MS };
    if (doing.kind === "reset") return { pass: length >> 1, cut: "reset" };
    if (doing.kind === "truncate" && this.#counted + length >= doing.bytes) {
      return { pass: doing.bytes - this.#counted, cut: "close" };
    }
    const lateMs = doing.kind === "latency" ? arrivedAt + doing.ms - this.#clock.monotonic() : 0;
    return lateMs > 0 ? { pass: 0, waitMs: lateMs } : { pass: length };
  }

  async #write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve) => this.#sink.write(bytes, () => resolve()));
    this.#counted += bytes.length;
    this.#hold(-bytes.length);
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes > HELD_BYTES) this.#source.pause();
    else this.#source.resume();
  }
}
