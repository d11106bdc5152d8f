import type { SpanAttributes, SpanReference, Tracing } from "../../core/tracing.ts";
import type { Decision } from "../../core/verdict.ts";
import { decisionDetail, type ResultOrigin } from "../metrics/decision-counts.ts";

/**
 * The spans of a guard's decisions. A decision from memory has none: its attributes go to the caller's own span. A span
 * costs many times as much as such a decision.
 */
export class DecisionTracing {
  readonly #tracing: Tracing;
  readonly #guard: string;
  /** The span of the first of the callers who wait for the same token, by the name of the token. */
  readonly #first = new Map<string, SpanReference>();

  constructor(tracing: Tracing, guard: string) {
    this.#tracing = tracing;
    this.#guard = guard;
  }

  /** Runs a decision that is not from memory. A caller who joins the work of another one links to that one's span. */
  async run<T>(tokenName: string, work: () => Promise<T>): Promise<T> {
    const attributes = { "holdfast.guard": this.#guard };
    return await this.#tracing.span(
      { name: "holdfast.authorize", kind: "internal", attributes },
      async ({ reference }) => {
        const first = this.#first.get(tokenName);
        if (first !== undefined) this.#tracing.link(first);
        else if (reference !== undefined) this.#first.set(tokenName, reference);
        try {
          return await work();
        } finally {
          if (reference !== undefined && this.#first.get(tokenName) === reference)
            this.#first.delete(tokenName);
        }
      },
    );
  }

  /** The id of the trace that the decision belongs to. `undefined` when it is not recorded. */
  traceId(): string | undefined {
    return this.#tracing.traceId();
  }

  /** Describes a decision on the span that is active: its own, or the caller's for a decision from memory. */
  describe(decision: Decision<unknown>, origin: ResultOrigin | null, issuer: string | null): void {
    this.#tracing.annotate({
      "holdfast.guard": this.#guard,
      "holdfast.status": decision.status,
      ...(issuer !== null && { "holdfast.issuer": issuer }),
      ...(origin !== null && { "holdfast.from": origin }),
      ...detailAttributes(decision),
    });
  }
}

function detailAttributes(decision: Decision<unknown>): SpanAttributes {
  const detail = decisionDetail(decision);
  if (decision.status !== "valid") return detail === null ? {} : { "holdfast.detail": detail };
  const { basis, degraded, revocationAgeMs } = decision;
  return {
    "holdfast.basis": basis,
    "holdfast.degraded": degraded !== null,
    ...(revocationAgeMs !== null && { "holdfast.revocation_age_ms": revocationAgeMs }),
  };
}
