import { Counts } from "../../core/metrics.ts";
import type { Decision } from "../../core/verdict.ts";

/**
 * Counts the decisions about the tokens of one issuer. A hit only adds one to a
 * number. A look-up of a counter by its labels would cost a tenth of the decision.
 */
export class DecisionCounts {
  /** Valid decisions from memory, with the authority's confirmation. */
  confirmedHits = 0;
  /** Valid decisions from memory that rest on the verification alone. */
  verifiedHits = 0;
  /** Every other decision, by status, detail and whether it is degraded. */
  readonly #decisions = new Counts();
  /** Every other valid decision, by where its result came from and what it rests on. */
  readonly #results = new Counts();

  record(decision: Decision<unknown>, from: ResultOrigin | null): void {
    const { status } = decision;
    if (status !== "valid") {
      this.#decisions.add(`${status} ${decisionDetail(decision) ?? ""} false`);
      if (from !== null) this.#results.add(`${from} none`);
      return;
    }
    if (from === "memory" && decision.degraded === null) {
      if (decision.basis === "authority") this.confirmedHits++;
      else this.verifiedHits++;
      return;
    }
    this.#decisions.add(`valid  ${decision.degraded !== null}`);
    this.#results.add(`${from} ${decision.degraded === null ? decision.basis : "degraded"}`);
  }

  /** The counts by the labels `status`, `detail` and `degraded`. */
  *decisions(): Generator<[labels: Record<string, string>, count: number]> {
    const hits = this.confirmedHits + this.verifiedHits;
    const counts = new Map(this.#decisions.entries());
    if (hits > 0) counts.set(VALID, (counts.get(VALID) ?? 0) + hits);
    for (const [words, count] of counts) {
      const [status = "", detail = "", degraded = ""] = words.split(" ");
      yield [{ status, detail, degraded }, count];
    }
  }

  /** The counts by the labels `from` and `basis`. */
  *results(): Generator<[labels: Record<string, string>, count: number]> {
    if (this.confirmedHits > 0) yield [{ from: "memory", basis: "authority" }, this.confirmedHits];
    if (this.verifiedHits > 0) yield [{ from: "memory", basis: "verification" }, this.verifiedHits];
    for (const [words, count] of this.#results.entries()) {
      const [from = "", basis = ""] = words.split(" ");
      yield [{ from, basis }, count];
    }
  }
}

const VALID = "valid  false";

/** Where a result came from. `joined` is the work that another caller with the same token had begun. */
export type ResultOrigin = "memory" | "shared" | "verification" | "joined";

/** The invalid reason or the unavailable cause. `null` for other decisions. */
export function decisionDetail(decision: Decision<unknown>): string | null {
  if (decision.status === "invalid") return decision.reason;
  return decision.status === "unavailable" ? decision.cause : null;
}
