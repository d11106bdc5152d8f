import { HoldfastError } from "../../core/errors.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { givenUpUntil, isGivenUp } from "../store/given-up-sessions.ts";

/** The least time between two reports of one kind, because the same token can be presented again and again. */
const REPORT_INTERVAL_MS = 60_000;

/** `Retry-After` for a lost session. Only an operator can bring it back. */
const LOST_SESSION_RETRY_MS = 30_000;

type Report = "missing" | "user" | "resumed" | "forked";
type Facts = Parameters<IssuerBase["audit"]>[1];

/** Reports what authentic tokens prove about a store that went back, at a bounded rate. */
export class RollbackAlarm {
  readonly #base: IssuerBase;
  readonly #reportedAt = new Map<Report, number>();

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /**
   * Rejects with `store_unavailable` for an unexpired token of a session that the store does not know, and reports it. A
   * store keeps an ended session longer than its tokens are valid, so it has lost the session, and a restored store knows it
   * again. Resolves when the sessions of the time of issue (epoch ms) were given up, or this one was.
   */
  async rejectLost(issuedAt: number, facts: Facts & { readonly session: string }): Promise<void> {
    const { store } = this.#base;
    if (issuedAt <= (await givenUpUntil(store)) || (await isGivenUp(store, facts.session))) return;
    this.#base.counts.lostSessions++;
    if (this.#isDue("missing")) {
      const ifDeleted =
        "if its key was deleted on purpose, run holdfast session end ID --force, with the id of the audit event";
      const what = "it does not know the session of a token that has not expired";
      this.#emit(`${what}; restore the newest backup, or ${ifDeleted}`, "has lost data");
      await this.#base.audit("store_rolled_back", { ...facts, detail: "unknown session" });
    }
    throw new HoldfastError("store_unavailable", "the store has lost the session of a token", {
      retryAfterMs: LOST_SESSION_RETRY_MS,
    });
  }

  /**
   * Rejects with `store_unavailable` for a live session whose user has no record and was not removed, and reports it. A
   * removal ends the sessions first, so the store has lost the record.
   */
  async rejectLostUser(facts: Facts): Promise<never> {
    this.#base.counts.lostSessions++;
    if (this.#isDue("user")) {
      this.#emit(
        "it does not know the user of a live session; restore the newest backup, or end the session",
      );
      await this.#base.audit("store_rolled_back", { ...facts, detail: "unknown user" });
    }
    throw new HoldfastError("store_unavailable", "the store has lost the user of a session", {
      retryAfterMs: LOST_SESSION_RETRY_MS,
    });
  }

  /** A token was ahead of its session, which goes on from there. Each session does so once, so each is audited. */
  async reportResumed(facts: Facts, generation: number): Promise<void> {
    if (this.#isDue("resumed")) this.#emit("a session continues from a token that is ahead of it");
    await this.#base.audit("store_rolled_back", {
      ...facts,
      detail: `resumed from generation ${generation}`,
    });
  }

  /** A token belongs to a branch of its session that the store has lost. */
  async reportForked(facts: Facts, generation: number): Promise<void> {
    if (!this.#isDue("forked")) return;
    await this.#base.audit("refresh_forked", { ...facts, detail: `generation ${generation}` });
  }

  #emit(what: string, lead = "went back"): void {
    const { emit, store } = this.#base;
    emit("store_rolled_back", `the store (${store.description}) ${lead}: ${what}`);
  }

  #isDue(report: Report): boolean {
    const now = this.#base.clock.monotonic();
    const last = this.#reportedAt.get(report);
    if (last !== undefined && now - last < REPORT_INTERVAL_MS) return false;
    this.#reportedAt.set(report, now);
    return true;
  }
}
