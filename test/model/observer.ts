import { auditEvents, issuerEvents } from "../../src/core/event-channels.ts";
import type { AuditEvent } from "../../src/core/events.ts";
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

/** Names the invariants that do not hold. */
export class Violation extends Error {
  readonly names: readonly Invariant[];

  constructor(names: readonly Invariant[]) {
    super(`violated: ${names.join(", ")}`);
    this.names = names;
  }
}

const secrets = deriveSecrets(secretAt(LAST_LEVEL));

/** Collects the answers, acknowledgements, stored records and events of a history, and checks the invariants. */
export class Observer {
  readonly issued: IssuedTokens = new IssuedTokens();
  /** Whether any clock was set. */
  clocksSet = false;
  readonly #store: Store;
  readonly #recording: Recording;
  readonly #audit: AuditEvent[] = [];
  /** Newest acknowledged password version of each subject. */
  readonly #acknowledgedVersions = new Map<string, number>();
  readonly #violations = new Set<Invariant>();

  /** `store` is the store beneath the recording. */
  constructor(store: Store, recording: Recording) {
    this.#store = store;
    this.#recording = recording;
    auditEvents.subscribe(this.#onAudit);
    issuerEvents.subscribe(this.#onEvent);
  }

  recordAnswer(answer: IssuerAnswer): void {
    const { outcome, presented } = answer;
    for (const name of findViolations(answerInvariants, answer, this.issued)) {
      this.#violations.add(name);
    }
    if (outcome.status === "ok") this.issued.add(outcome.tokens, presented);
  }

  /** Records that the change to this version of the subject's password was acknowledged. */
  recordPasswordChange(subject: string, version: number): void {
    this.#acknowledgedVersions.set(subject, Math.max(version, this.#acknowledgedVersions.get(subject) ?? 0));
  }

  /** Records an error that a caller got instead of an answer. */
  recordError(error: unknown): void {
    this.#recording.texts.push(String(error));
  }

  require(name: Invariant, holds: boolean): void {
    if (!holds) this.#violations.add(name);
  }

  /** Throws a `Violation` when an invariant did not hold up to this step. `now` is the store's time. */
  async inspect(now: number): Promise<void> {
    const { model, passwordVersions } = this.#recording;
    for (const session of model.sessions.values()) {
      const { id, subject } = session;
      // After the store's clock is set back, a pending login cannot be distinguished from a later one.
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
