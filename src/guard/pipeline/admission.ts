import type { CallOptions, Rules } from "../../core/rules.ts";
import { unavailableVerdict, type Decision, type InvalidVerdict } from "../../core/verdict.ts";
import type { Admission, Guard } from "../types.ts";
import { authorizeDetailed, decideNow } from "./authorize.ts";
import type { PipelineContext } from "./context.ts";
import type { Degradation } from "./decide.ts";
import { degradedForMs } from "./fallback.ts";
import { authorityOf, type ValidToken } from "./validation-result.ts";

/** Creates `admit`: one full validation, and an {@link Admission} that applies the rules to that result on every call. */
export function createAdmit<C>(context: PipelineContext): Guard<C>["admit"] {
  return async (token, rules) => {
    const { decision, result, degradation } = await authorizeDetailed<C>(context, token, rules);
    if (decision.status !== "valid") return decision;
    const { signal: _, ...lastingRules } = rules ?? {};
    return new AdmittedToken<C>(context, token, lastingRules, result as ValidToken, degradation);
  };
}

class AdmittedToken<C> implements Admission<C> {
  readonly status = "admitted";
  readonly #context: PipelineContext;
  /** `null` when no authority will be asked about the token again. */
  readonly #token: string | null;
  readonly #rules: Rules;
  #result: ValidToken | InvalidVerdict;
  #degradation: Degradation | null;

  constructor(
    context: PipelineContext,
    token: string,
    rules: Rules,
    result: ValidToken,
    degradation: Degradation | null,
  ) {
    this.#context = context;
    this.#token = authorityOf(result) === undefined ? null : token;
    this.#rules = rules;
    this.#result = result;
    this.#degradation = degradation;
  }

  get hasAuthority(): boolean {
    return this.#token !== null;
  }

  current(): Decision<C> {
    const result = this.#result;
    const degradation = this.#degradation;
    const decision = decideNow<C>(this.#context, result, "memory", this.#rules, degradation);
    if (degradation === null || decision.status !== "valid" || result.status !== "valid") return decision;
    const sinceMs = degradedForMs(this.#context, result, this.#rules, degradation.sinceMs);
    if (sinceMs === null) return unavailableVerdict(degradation.cause);
    return { ...decision, degraded: { cause: degradation.cause, sinceMs } };
  }

  async recheck(call?: CallOptions): Promise<Decision<C>> {
    if (this.#token === null) return this.current();
    const rules = { ...this.#rules, signal: call?.signal };
    const before = this.#result;
    // A verified signature stays verified, even if the result cache has evicted the token.
    const known = before.status === "valid" && before.key !== null ? before : undefined;
    const recheck = await authorizeDetailed<C>(this.#context, this.#token, rules, known);
    const { decision, result, degradation } = recheck;
    // An unavailable decision changes nothing. A forbidden one stores the new result, to which `current` applies the rules.
    if (decision.status === "unavailable" || result.status === "unavailable") return decision;
    const isOtherSubject =
      result.status === "valid" && before.status === "valid" && result.subject !== before.subject;
    // An answer about another subject is not an answer about this token.
    if (isOtherSubject) return unavailableVerdict("authority_unavailable");
    this.#result = result;
    this.#degradation = degradation;
    return decision;
  }
}
