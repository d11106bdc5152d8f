import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../../src/core/clock.ts";
import type { Revocation } from "../../src/core/revocation.ts";
import type {
  EndReason,
  NewSession,
  RevocationSnapshot,
  Rotation,
  RotationOutcome,
  Store,
} from "../../src/stores/contracts.ts";
import { PRUNE_SLACK_MS } from "../../src/stores/retention.ts";
import { wrapped } from "../issuer/stores.ts";
import { broken, ofPresentations, type Invariant, type Presentation } from "./invariants.ts";
import { Model } from "./model.ts";

/** What a request carries along, so that its commands at the store can be told from those of others. */
export interface Errand {
  presentation?: Presentation;
  /** Version of the password that a login was checked with. */
  password?: number;
}

export const errand: AsyncLocalStorage<Errand> = new AsyncLocalStorage();

/**
 * Sees each command at the moment when it takes effect, in the order in which they do, lets the model follow, and
 * holds what the store says against it.
 */
export class Tape {
  readonly model: Model = new Model();
  /** The store, to be used instead of the one that was brought. */
  readonly store: Store;
  /** Invariants that did not hold. */
  readonly found: Set<Invariant> = new Set();
  /** What the store was given and what it said, as text, since it was last read. */
  readonly said: string[] = [];
  /** By session, the version of the password that it began with. */
  readonly passwords: Map<string, number> = new Map();

  /** `clock`: the store's. */
  constructor(store: Store, clock: Clock) {
    this.store = wrapped(store, async (name, call, args) => {
      const check = this.#follow(name, args, clock.now());
      const answer = await call();
      this.said.push(JSON.stringify([args, answer]));
      const ended = check?.(answer);
      if (ended !== undefined && !isIn(await store.revocations.snapshot(), ended)) {
        this.found.add("endingIsInTheLog");
      }
      return answer;
    });
  }

  /** Returns what checks the answer; it names the session or subject whose ending must be in the log by then. */
  #follow(name: string, args: unknown[], now: number): ((answer: unknown) => string | undefined) | undefined {
    const { model } = this;
    if (name === "sessions.create") return this.#create(args[0] as NewSession, now);
    if (name === "sessions.rotate") return this.#rotate(args[0] as Rotation, now);
    if (name === "prune") model.prune(now, PRUNE_SLACK_MS);
    if (name === "sessions.end") {
      const [id, reason, { until }] = args as [string, EndReason, Revocation];
      model.end(id, reason);
      return () => lasting(id, until, now);
    }
    if (name === "sessions.endAll") {
      const [subject, reason, { until }] = args as [string, EndReason, { until: number }];
      model.endAll(subject, reason, now, until);
      return () => lasting(subject, until, now);
    }
    return undefined;
  }

  #create(session: NewSession, now: number): (answer: unknown) => undefined {
    const expected = this.model.create(session, now);
    this.passwords.set(session.id, errand.getStore()?.password ?? 0);
    return (answer) => {
      if ((answer as { status: string }).status !== expected) this.found.add("passwordChangeWins");
    };
  }

  #rotate(rotation: Rotation, now: number): (answer: unknown) => string | undefined {
    const { sessionId, generation } = rotation;
    const session = this.model.sessions.get(sessionId);
    const expected = this.model.expected(rotation, now);
    const tip = session?.tip ?? 0;
    const excusedUntil = session?.spent.get(generation)?.excusedUntil ?? null;
    this.model.apply(rotation, expected, now);
    const on = errand.getStore();
    return (answer) => {
      const said = (answer as RotationOutcome).outcome;
      const presentation = { session: sessionId, generation, tip, now, excusedUntil, expected, said };
      if (on !== undefined) on.presentation = presentation;
      for (const name of broken(ofPresentations, presentation)) this.found.add(name);
      return said === "reuse" ? lasting(sessionId, rotation.onReuse.until, now) : undefined;
    };
  }
}

/** A command that came to the store hours late may bring an entry that is over already. */
function lasting(id: string, until: number, now: number): string | undefined {
  return until > now ? id : undefined;
}

function isIn({ entries }: RevocationSnapshot, id: string): boolean {
  return entries.some(({ revocation }) => revocation.id === id);
}
