import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../../src/core/clock.ts";
import type { Revocation } from "../../src/core/revocation.ts";
import type {
  Acknowledgement,
  EndReason,
  NewSession,
  Rotation,
  RotationOutcome,
} from "../../src/stores/session-store.ts";
import type { RevocationSnapshot, Store } from "../../src/stores/store.ts";
import { EXPIRED_RETENTION_MS } from "../../src/stores/retention.ts";
import { wrapStore } from "../issuer/stores.ts";
import { findViolations, presentationInvariants, type Invariant, type Presentation } from "./invariants.ts";
import { Model } from "./model.ts";

/** Attributes a command at the store to the request that caused it. */
export interface RequestContext {
  presentation?: Presentation;
  /** Version of the password that a login was checked with. */
  password?: number;
}

export const requestContext: AsyncLocalStorage<RequestContext> = new AsyncLocalStorage();

/**
 * Records each command at the moment it takes effect, in order. It applies the command to the model, and compares the
 * answer of the store with the answer of the model.
 */
export class Recording {
  readonly model: Model = new Model();
  /** The recorded store. Instances use it instead of the store itself. */
  readonly store: Store;
  /** Names of the invariants that did not hold. */
  readonly violations: Set<Invariant> = new Set();
  /** Arguments and answers of the store as text, since the list was last emptied. */
  readonly texts: string[] = [];
  /** Version of the password that each session began with. */
  readonly passwordVersions: Map<string, number> = new Map();

  /** `clock` is the store's clock. */
  constructor(store: Store, clock: Clock) {
    this.store = wrapStore(store, async (name, call, args) => {
      const check = this.#predict(name, args, clock.now());
      const answer = await call();
      this.texts.push(JSON.stringify([args, answer]));
      const ended = check?.(answer);
      if (ended !== undefined && !contains(await store.revocations.snapshot(), ended)) {
        this.violations.add("endingIsInTheLog");
      }
      return answer;
    });
  }

  /** Returns a check of the answer. The check returns the session or subject whose ending must now be in the log. */
  #predict(
    name: string,
    args: unknown[],
    now: number,
  ): ((answer: unknown) => string | undefined) | undefined {
    const { model } = this;
    if (name === "sessions.mark") {
      const { cutoffCount } = model;
      return (answer) => {
        model.mark(answer as number, cutoffCount);
        return undefined;
      };
    }
    if (name === "sessions.create") return this.#create(args[0] as NewSession, now);
    if (name === "sessions.rotate") return this.#rotate(args[0] as Rotation, now);
    if (name === "sessions.acknowledge") {
      const expected = model.acknowledge(args[0] as Acknowledgement, now);
      return (answer) => {
        if (answer !== expected) this.violations.add("arrivalIsRecordedOnce");
        return undefined;
      };
    }
    if (name === "prune") model.prune(now, EXPIRED_RETENTION_MS);
    if (name === "sessions.end") {
      const [id, reason, { until }] = args as [string, EndReason, Revocation];
      model.end(id, reason);
      return () => expectedInLog(id, until, now);
    }
    if (name === "sessions.endAll") {
      const [subject, reason, { until }] = args as [string, EndReason, { until: number }];
      model.endAll(subject, reason, until);
      return () => expectedInLog(subject, until, now);
    }
    return undefined;
  }

  #create(session: NewSession, now: number): (answer: unknown) => undefined {
    const expected = this.model.create(session, now);
    const { cutoffCount } = this.model;
    this.passwordVersions.set(session.id, requestContext.getStore()?.password ?? 0);
    return (answer) => {
      const { status, number } = answer as { status: string; number?: number };
      if (status !== expected) this.violations.add("passwordChangeWins");
      if (number !== undefined) this.model.mark(number, cutoffCount);
    };
  }

  #rotate(rotation: Rotation, now: number): (answer: unknown) => string | undefined {
    const { sessionId, generation } = rotation;
    const session = this.model.sessions.get(sessionId);
    const expected = this.model.expected(rotation, now);
    const currentGeneration = session?.currentGeneration ?? 0;
    const isArrived = session?.arrivedAt.has(generation + 1) ?? false;
    this.model.apply(rotation, expected, now);
    const request = requestContext.getStore();
    return (answer) => {
      const actual = (answer as RotationOutcome).outcome;
      const presentation = {
        session: sessionId,
        generation,
        currentGeneration,
        now,
        isArrived,
        expected,
        actual,
      };
      if (request !== undefined) request.presentation = presentation;
      for (const name of findViolations(presentationInvariants, presentation)) this.violations.add(name);
      return actual === "reuse" ? expectedInLog(sessionId, rotation.onReuse.until, now) : undefined;
    };
  }
}

/** A command that reaches the store hours late may append an entry that has already expired. */
function expectedInLog(id: string, until: number, now: number): string | undefined {
  return until > now ? id : undefined;
}

function contains({ entries }: RevocationSnapshot, id: string): boolean {
  return entries.some(({ revocation }) => revocation.id === id);
}
