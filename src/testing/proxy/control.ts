import type { Clock } from "../../core/clock.ts";
import { invalidOption, rejectUnknownOptions, readWholeNumber } from "../../core/options.ts";

/**
 * The fault of a fault proxy. Bytes from the client are requests, and bytes from the target are answers.
 * - `pass`: no fault.
 * - `refuse`: resets every connection at once.
 * - `black-hole`: accepts connections and holds all bytes. They pass when the mode changes.
 * - `slow-loris`: sends answers at one byte a second.
 * - `reset`: resets the connection in the middle of the next answer.
 * - `truncate`: closes the connection after `bytes` of answer.
 * - `latency`: delays every answer by `ms`.
 * - `flap`: passes for `upMs` and refuses for `downMs`, in turn.
 */
export type ProxyMode =
  | { readonly kind: "pass" | "refuse" | "black-hole" | "slow-loris" | "reset" }
  | { readonly kind: "truncate"; readonly bytes: number }
  | { readonly kind: "latency"; readonly ms: number }
  | { readonly kind: "flap"; readonly upMs: number; readonly downMs: number };

/** The current fault. A flapping proxy alternates between two of them. */
export type ActiveMode = Exclude<ProxyMode, { kind: "flap" }>;

const members: Readonly<Record<ProxyMode["kind"], readonly string[]>> = {
  pass: [],
  refuse: [],
  "black-hole": [],
  "slow-loris": [],
  reset: [],
  truncate: ["bytes"],
  latency: ["ms"],
  flap: ["upMs", "downMs"],
};

function checkMode(mode: ProxyMode): void {
  const kinds = Object.keys(members);
  if (!kinds.includes(mode?.kind)) throw invalidOption("mode: kind", kinds.join(", "), mode?.kind);
  rejectUnknownOptions("mode", mode, ["kind", ...members[mode.kind]]);
  for (const member of members[mode.kind]) {
    const value = (mode as Readonly<Record<string, unknown>>)[member] ?? null;
    readWholeNumber(`mode: ${member}`, value, { default: 0, min: member === "bytes" ? 0 : 1 });
  }
}

/** Holds the mode for all connections of a proxy. */
export class ProxyControl {
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();
  readonly #onChange: () => void;
  #mode: ActiveMode = { kind: "pass" };
  #stopFlapping = () => {};

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get mode(): ActiveMode {
    return this.#mode;
  }

  /** Throws `invalid_option`. */
  set(mode: ProxyMode): void {
    checkMode(mode);
    this.#stopFlapping();
    if (mode.kind === "flap") this.#flap({ ...mode }, true);
    else this.#activate({ ...mode });
  }

  /** Resolves after `ms`, or when the mode changes. `Infinity` waits for a change only. */
  async wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = ms === Infinity ? () => {} : this.#clock.after(ms, resolve);
    this.#waiters.add(resolve);
    await promise;
    this.#waiters.delete(resolve);
    cancel();
  }

  #flap(mode: Extract<ProxyMode, { kind: "flap" }>, up: boolean): void {
    this.#activate({ kind: up ? "pass" : "refuse" });
    this.#stopFlapping = this.#clock.after(up ? mode.upMs : mode.downMs, () => this.#flap(mode, !up));
  }

  #activate(mode: ActiveMode): void {
    this.#mode = mode;
    this.#onChange();
    for (const resume of this.#waiters) resume();
  }
}
