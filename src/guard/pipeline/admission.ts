import type { CallOptions, Rules } from "../../core/rules.ts";
import { readClock } from "../../core/clock.ts";
import { unavailableVerdict, type Decision, type InvalidVerdict } from "../../core/verdict.ts";
import { decide, type Degradation } from "./decide.ts";
import { degradedForMs } from "./fallback.ts";
import { type ValidToken } from "./validation-result.ts";
import type { PipelineContext } from "./context.ts";
import { authorizeDetailed, isKeyInForce } from "./authorize.ts";
import type { Admission, Guard } from "../types.ts";

/** `admit`: up the context once, and then what was found is decided on as often as somebody wants to know. */
export function createAdmit<C>(context: PipelineContext): Guard<C>["admit"] {
  return async (token, rules) => {
    const { decision, result, degradation } = await authorizeDetailed<C>(context, token, rules);
    if (decision.status !== "valid") return decision;
    const { signal: _, ...lasting } = rules ?? {};
    return new AdmittedToken<C>(context, token, lasting, result as ValidToken, degradation);
  };
}

/** A token that was let in for longer than a request. */
class AdmittedToken<C> implements Admission<C> {
  readonly status = "admitted";
  readonly #context: PipelineContext;
  /** Only where somebody will be asked about it again. */
  readonly #token: string | null;
  readonly #rules: Rules;
  #finding: ValidToken | InvalidVerdict;
  #lapse: Degradation | null;

  constructor(
    context: PipelineContext,
    token: string,
    rules: Rules,
    result: ValidToken,
    degradation: Degradation | null,
  ) {
    this.#context = context;
    this.#token = result.guardedIssuer.authority === undefined ? null : token;
    this.#rules = rules;
    this.#finding = result;
    this.#lapse = degradation;
  }

  get hasAuthority(): boolean {
    return this.#token !== null;
  }

  current(): Decision<C> {
    const context = this.#context;
    const result = this.#finding;
    if (context.closed) return unavailableVerdict("closed");
    const now = readClock(context.clock);
    if (result.status === "valid" && !isKeyInForce(result, now)) return unavailableVerdict("key_pending");
    const decision = decide<C>(context, result, "memory", now, this.#rules, this.#lapse);
    const degradation = this.#lapse;
    if (degradation === null || decision.status !== "valid" || result.status !== "valid") return decision;
    const sinceMs = degradedForMs(context, result, this.#rules, degradation.sinceMs);
    if (sinceMs === null) return unavailableVerdict(degradation.cause);
    return { ...decision, degraded: { cause: degradation.cause, sinceMs } };
  }

  async recheck(call?: CallOptions): Promise<Decision<C>> {
    if (this.#token === null) return this.current();
    const again = { ...this.#rules, signal: call?.signal };
    const before = this.#finding;
    // What it proved stays proved, though the memory of findings may have lost it.
    const proved = before.status === "valid" && before.key !== null ? before : undefined;
    const { decision, result, degradation } = await authorizeDetailed<C>(
      this.#context,
      this.#token,
      again,
      proved,
    );
    // What was not found out changes nothing, and neither does a rule: it is applied to what is known.
    if (decision.status === "unavailable" || result.status === "unavailable") return decision;
    // An answer about somebody else is none.
    const isOther =
      result.status === "valid" && before.status === "valid" && result.subject !== before.subject;
    if (isOther) return unavailableVerdict("authority_unavailable");
    this.#finding = result;
    this.#lapse = degradation;
    return decision;
  }
}
