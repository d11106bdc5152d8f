import type { Clock } from "../../src/core/clock.ts";
import type { Authenticate, Issuer } from "../../src/issuer/types.ts";
import type { Store } from "../../src/stores/store.ts";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import { ISSUER_URL } from "../issuer/fixture.ts";
import { wrapStore } from "../issuer/stores.ts";

/** The fault of a command at the store. */
export type StoreFault = "none" | "fails" | "answer lost" | "answer late";

export interface Settings {
  readonly lostAnswerMs: number;
  readonly conflictMs: number;
  readonly refreshIdleMs: number;
}

const ABSOLUTE_MS = 4 * 3_600_000;
/** The last step of the secret rotation: by then two secrets have been replaced. */
export const LAST_LEVEL = 4;

/** The context that all instances share. */
export interface InstanceContext {
  readonly store: Store;
  /** Returns a clock that is wrong by `offset()` milliseconds. */
  readonly clock: (offset: () => number) => Clock;
  /** Yields to other requests until the scheduler continues this one. */
  readonly pause: (what: string) => Promise<void>;
  readonly authenticate: Authenticate | undefined;
  readonly applyIssuerFault: (issuer: Issuer) => Issuer;
}

const never = new Promise<never>(() => {});

/** Commands whose order relative to each other matters. */
const SCHEDULED_COMMANDS = /^(?:sessions|users|markers|keys\.rotate|now|prune)/;

/** The secrets, in order of introduction. */
const secretOf = (n: number) => `secret number ${n} of more than thirty-two bytes`;

/** Returns the secrets at a step of the rotation. At an odd step the next secret is already known, as the last one. */
export function secretAt(level: number): string {
  const first = level >> 1;
  const older = Array.from({ length: first + 1 }, (_, n) => secretOf(first - n));
  return (level % 2 === 0 ? older : [...older, secretOf(first + 1)]).join();
}

/** An issuer process that can crash and restart. Each process starts with the data in the store. */
export class Instance {
  /** Offset of its clock, ms. */
  offsetMs = 0;
  secretLevel = 0;
  settings: Settings = { lostAnswerMs: 120_000, conflictMs: 30_000, refreshIdleMs: 3_600_000 };
  /** The faults of its next commands at the store, in order. Later commands have no fault. */
  faults: StoreFault[] = [];
  readonly #context: InstanceContext;
  #issuer: Issuer | null = null;
  #kill: () => void = () => {};
  #died: Promise<"died"> = never;

  constructor(context: InstanceContext) {
    this.#context = context;
    this.#start();
  }

  get issuer(): Issuer {
    if (this.#issuer === null) throw new Error("the instance was not started");
    return this.#issuer;
  }

  /** Starts a new process. */
  #start(): void {
    const { store, clock, pause, authenticate, applyIssuerFault } = this.#context;
    let dead = false;
    const faultyStore = wrapStore(store, async (name, call) => {
      if (SCHEDULED_COMMANDS.test(name)) await pause(name);
      const fault = dead ? "none" : this.faults.shift();
      if (fault === "fails") throw new Error("the disk failed");
      const answer = dead ? await never : await call();
      if (fault === "answer late") await pause(`${name} answers`);
      if (fault === "answer lost") throw new Error("the answer was lost");
      return dead ? await never : answer;
    });
    const issuer = createIssuer({
      ...this.settings,
      url: ISSUER_URL,
      audience: "https://api.example.com",
      clients: [{ id: "orders", secret: "the secret of orders" }],
      refreshAbsoluteMs: ABSOLUTE_MS,
      secret: secretAt(this.secretLevel),
      store: faultyStore,
      clock: clock(() => this.offsetMs),
      random: () => 0.5,
      ...(authenticate !== undefined && { authenticate }),
    });
    this.#issuer = applyIssuerFault(issuer);
    this.#died = new Promise((resolve) => {
      this.#kill = () => {
        dead = true;
        resolve("died");
      };
    });
  }

  /** Kills the process. Its pending commands at the store take effect, and its callers get no answer. */
  async crash(): Promise<void> {
    this.#kill();
    await this.issuer.close();
  }

  /** Crashes, and starts again with the current settings. */
  async restart(): Promise<void> {
    await this.crash();
    this.#start();
  }

  /** Returns the answer, or `died` when the process crashes first. */
  async call<T>(call: (issuer: Issuer) => Promise<T>): Promise<T | "died"> {
    return await Promise.race([call(this.issuer), this.#died]);
  }
}
