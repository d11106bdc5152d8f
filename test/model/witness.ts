import { auditEvents, issuerEvents, type AuditEvent } from "../../src/core/events.ts";
import { deriveSecrets } from "../../src/issuer/secrets.ts";
import type { Store } from "../../src/stores/contracts.ts";
import { LAST_LEVEL, secretAt } from "./instance.ts";
import { broken, ofAnswers, ofStates, type Answer, type Invariant } from "./invariants.ts";
import { Ledger } from "./ledger.ts";
import type { Tape } from "./tape.ts";

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
export class Witness {
  readonly ledger: Ledger = new Ledger();
  /** Somebody's clock was set. */
  clocksSet = false;
  readonly #store: Store;
  readonly #tape: Tape;
  readonly #audit: AuditEvent[] = [];
  /** By subject, the newest version of the password whose change was acknowledged. */
  readonly #changed = new Map<string, number>();
  readonly #found = new Set<Invariant>();

  /** `store` is the one beneath the tape. */
  constructor(store: Store, tape: Tape) {
    this.#store = store;
    this.#tape = tape;
    auditEvents.subscribe(this.#onAudit);
    issuerEvents.subscribe(this.#onEvent);
  }

  answered(answer: Omit<Answer, "clocksSet">): void {
    const { outcome, presented } = answer;
    for (const name of broken(ofAnswers, { ...answer, clocksSet: this.clocksSet }, this.ledger)) {
      this.#found.add(name);
    }
    if (outcome.status === "ok") this.ledger.keep(outcome.tokens, presented);
  }

  /** The change to this version of the subject's password was acknowledged. */
  changed(subject: string, version: number): void {
    this.#changed.set(subject, Math.max(version, this.#changed.get(subject) ?? 0));
  }

  /** What a caller was told beside an answer. */
  heard(error: unknown): void {
    this.#tape.said.push(String(error));
  }

  require(name: Invariant, holds: boolean): void {
    if (!holds) this.#found.add(name);
  }

  /** Throws a `Violation` when anything does not hold, up to this step. `now`: store's clock. */
  async inspect(now: number): Promise<void> {
    const { model, passwords } = this.#tape;
    for (const session of model.sessions.values()) {
      const { id, subject } = session;
      // A login under way when the store's clock is set back cannot be told from a later one.
      const used = this.clocksSet ? Number.POSITIVE_INFINITY : (passwords.get(id) ?? 0);
      const state = {
        session,
        live: model.isLive(session, now),
        record: await this.#store.sessions.get(id),
        tokens: this.ledger.tokens.get(id) ?? new Map<number, string>(),
        audit: this.#audit,
        secrets,
        password: { used, changed: this.#changed.get(subject) ?? 0 },
      };
      for (const name of broken(ofStates, state)) this.#found.add(name);
    }
    this.require("noSecretAtRest", !this.ledger.reveals(this.#tape.said.splice(0).join("\n")));
    const found = [...this.#found, ...this.#tape.found];
    if (found.length > 0) throw new Violation(found);
  }

  close(): void {
    auditEvents.unsubscribe(this.#onAudit);
    issuerEvents.unsubscribe(this.#onEvent);
  }

  readonly #onAudit = (event: unknown) => {
    this.#audit.push(event as AuditEvent);
    this.#tape.said.push(JSON.stringify(event));
  };

  readonly #onEvent = (event: unknown) => void this.#tape.said.push(JSON.stringify(event));
}
