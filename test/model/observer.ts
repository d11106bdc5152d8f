import { auditEvents, issuerEvents, type AuditEvent } from "../../src/core/events.ts";
import { deriveSecrets } from "../../src/issuer/secret-keys.ts";
import type { Store } from "../../src/stores/store.ts";
import { LAST_LEVEL, secretAt } from "./instance.ts";
import {
  findViolations,
  answerInvariants,
  stateInvariants,
  type IssuerAnswer,
  type Invariant,
} from "./invariants.ts";
import { IssuedTokens } from "./issued-tokens.ts";
import type { Recording } from "./recording.ts";

/** Invariants that do not hold. */
export class Violation extends Error {
  readonly names: readonly Invariant[];

  constructor(names: readonly Invariant[]) {
    super(`violated: ${names.join(", ")}`);
    this.names = names;
  }
}

const secrets = deriveSecrets(secretAt(LAST_LEVEL));

/** Sees everything from outside and keeps it: what was answered, acknowledged, stored and published. */
export class Observer {
  readonly issued: IssuedTokens = new IssuedTokens();
  /** Somebody's clock was set. */
  clocksSet = false;
  readonly #store: Store;
  readonly #recording: Recording;
  readonly #audit: AuditEvent[] = [];
  /** By subject, the newest version of the password whose change was acknowledged. */
  readonly #acknowledgedVersions = new Map<string, number>();
  readonly #violations = new Set<Invariant>();

  /** `store` is the one beneath the tape. */
  constructor(store: Store, tape: Recording) {
    this.#store = store;
    this.#recording = tape;
    auditEvents.subscribe(this.#onAudit);
    issuerEvents.subscribe(this.#onEvent);
  }

  recordAnswer(answer: Omit<IssuerAnswer, "clocksSet">): void {
    const { outcome, presented } = answer;
    for (const name of findViolations(
      answerInvariants,
      { ...answer, clocksSet: this.clocksSet },
      this.issued,
    )) {
      this.#violations.add(name);
    }
    if (outcome.status === "ok") this.issued.add(outcome.tokens, presented);
  }

  /** The change to this version of the subject's password was acknowledged. */
  recordPasswordChange(subject: string, version: number): void {
    this.#acknowledgedVersions.set(subject, Math.max(version, this.#acknowledgedVersions.get(subject) ?? 0));
  }

  /** What a caller was told beside an answer. */
  recordError(error: unknown): void {
    this.#recording.texts.push(String(error));
  }

  require(name: Invariant, holds: boolean): void {
    if (!holds) this.#violations.add(name);
  }

  /** Throws a `Violation` when anything does not hold, up to this step. `now`: store's clock. */
  async inspect(now: number): Promise<void> {
    const { model, passwordVersions } = this.#recording;
    for (const session of model.sessions.values()) {
      const { id, subject } = session;
      // A login under way when the store's clock is set back cannot be told from a later one.
      const used = this.clocksSet ? Number.POSITIVE_INFINITY : (passwordVersions.get(id) ?? 0);
      const state = {
        session,
        live: model.isLive(session, now),
        record: await this.#store.sessions.get(id),
        tokens: this.issued.refreshTokens.get(id) ?? new Map<number, string>(),
        audit: this.#audit,
        secrets,
        password: { used, changed: this.#acknowledgedVersions.get(subject) ?? 0 },
      };
      for (const name of findViolations(stateInvariants, state)) this.#violations.add(name);
    }
    this.require("noSecretAtRest", !this.issued.isRevealedIn(this.#recording.texts.splice(0).join("\n")));
    const found = [...this.#violations, ...this.#recording.violations];
    if (found.length > 0) throw new Violation(found);
  }

  close(): void {
    auditEvents.unsubscribe(this.#onAudit);
    issuerEvents.unsubscribe(this.#onEvent);
  }

  readonly #onAudit = (event: unknown) => {
    this.#audit.push(event as AuditEvent);
    this.#recording.texts.push(JSON.stringify(event));
  };

  readonly #onEvent = (event: unknown) => void this.#recording.texts.push(JSON.stringify(event));
}
