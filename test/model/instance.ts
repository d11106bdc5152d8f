import type { Clock } from "../../src/core/clock.ts";
import type { Authenticate, Issuer } from "../../src/issuer/types.ts";
import type { Store } from "../../src/stores/store.ts";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import { ISSUER_URL } from "../issuer/fixture.ts";
import { wrapStore } from "../issuer/stores.ts";

/** What becomes of a command at the store. */
export type StoreFault = "fine" | "fails" | "answer lost" | "answer late";

export interface Settings {
  readonly graceMs: number;
  readonly refreshIdleMs: number;
}

const ABSOLUTE_MS = 4 * 3_600_000;
/** Of replacing secrets: two of them are over. */
export const LAST_LEVEL = 4;

/** What all instances share. */
export interface InstanceContext {
  readonly store: Store;
  /** Such as somebody's clock that is wrong by `offset()` milliseconds. */
  readonly clock: (offset: () => number) => Clock;
  /** Resolves when the scheduler says so: until then others go first. */
  readonly pause: (what: string) => Promise<void>;
  readonly authenticate: Authenticate | undefined;
  readonly applyIssuerFault: (issuer: Issuer) => Issuer;
}

const never = new Promise<never>(() => {});

/** Whose order against each other matters. */
const SCHEDULED_COMMANDS = /^(?:sessions|users|markers|keys\.rotate|now|prune)/;

/** The secrets in the order of their introduction; a level is a step of replacing one by the next. */
const secretOf = (n: number) => `secret number ${n} of more than thirty-two bytes`;

/** Even: one secret is the first. Odd: the next is known already, as the last. */
export function secretAt(level: number): string {
  const first = level >> 1;
  const older = Array.from({ length: first + 1 }, (_, n) => secretOf(first - n));
  return (level % 2 === 0 ? older : [...older, secretOf(first + 1)]).join();
}

/** One process after the other in the same place: each begins with what the store holds. */
export class Instance {
  /** How wrong its clock is. */
  offsetMs = 0;
  secretLevel = 0;
  settings: Settings = { graceMs: 30_000, refreshIdleMs: 3_600_000 };
  /** Of its next commands at the store, in turn; then all is fine. */
  faults: StoreFault[] = [];
  readonly #context: InstanceContext;
  #issuer: Issuer | null = null;
  #kill: () => void = () => {};
  #died: Promise<"died"> = never;

  constructor(around: InstanceContext) {
    this.#context = around;
    this.#start();
  }

  get issuer(): Issuer {
    if (this.#issuer === null) throw new Error("the instance was not started");
    return this.#issuer;
  }

  /** A fresh process. */
  #start(): void {
    const { store, clock, pause, authenticate, applyIssuerFault } = this.#context;
    let dead = false;
    const own = wrapStore(store, async (name, call) => {
      if (SCHEDULED_COMMANDS.test(name)) await pause(name);
      const fate = dead ? "fine" : this.faults.shift();
      if (fate === "fails") throw new Error("the disk is on fire");
      const answer = dead ? await never : await call();
      if (fate === "answer late") await pause(`${name} answers`);
      if (fate === "answer lost") throw new Error("gone");
      return dead ? await never : answer;
    });
    const issuer = createIssuer({
      ...this.settings,
      url: ISSUER_URL,
      audience: "https://api.example.com",
      clients: [{ id: "orders", secret: "the secret of orders" }],
      refreshAbsoluteMs: ABSOLUTE_MS,
      secret: secretAt(this.secretLevel),
      store: own,
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

  /** Nothing of it goes on; whoever waits for it hears nothing more. What the store did is done. */
  async crash(): Promise<void> {
    this.#kill();
    await this.issuer.close();
  }

  /** Dies, and begins with its settings as they are now. */
  async restart(): Promise<void> {
    await this.crash();
    this.#start();
  }

  /** What it answers, unless it dies before. */
  async call<T>(call: (issuer: Issuer) => Promise<T>): Promise<T | "died"> {
    return await Promise.race([call(this.issuer), this.#died]);
  }
}
