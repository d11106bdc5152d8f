import { instant } from "../core/clock.ts";
import { unavailable, type Decision, type Invalid } from "../core/verdict.ts";
import { decide, type Lapse } from "./decide.ts";
import { bridgedMs } from "./degraded.ts";
import { type Known } from "./finding.ts";
import type { Ladder } from "./context.ts";
import { reach, stillStands } from "./ladder.ts";
import type { Admission, Call, Guard, Rules } from "./types.ts";

/** `admit`: up the ladder once, and then what was found is decided on as often as somebody wants to know. */
export function admitter<C>(ladder: Ladder): Guard<C>["admit"] {
  return async (token, rules) => {
    const { decision, finding, lapse } = await reach<C>(ladder, token, rules);
    if (decision.status !== "valid") return decision;
    const { signal: _, ...lasting } = rules ?? {};
    return new Admitted<C>(ladder, token, lasting, finding as Known, lapse);
  };
}

/** A token that was let in for longer than a request. */
class Admitted<C> implements Admission<C> {
  readonly status = "admitted";
  readonly #ladder: Ladder;
  /** Only where somebody will be asked about it again. */
  readonly #token: string | null;
  readonly #rules: Rules;
  #finding: Known | Invalid;
  #lapse: Lapse | null;

  constructor(ladder: Ladder, token: string, rules: Rules, finding: Known, lapse: Lapse | null) {
    this.#ladder = ladder;
    this.#token = finding.realm.authority === undefined ? null : token;
    this.#rules = rules;
    this.#finding = finding;
    this.#lapse = lapse;
  }

  get isAsked(): boolean {
    return this.#token !== null;
  }

  current(): Decision<C> {
    const ladder = this.#ladder;
    const finding = this.#finding;
    if (ladder.closed) return unavailable("closed");
    const now = instant(ladder.clock);
    if (finding.status === "valid" && !stillStands(finding, now)) return unavailable("key_pending");
    const decision = decide<C>(ladder, finding, "memory", now, this.#rules, this.#lapse);
    const lapse = this.#lapse;
    if (lapse === null || decision.status !== "valid" || finding.status !== "valid") return decision;
    const sinceMs = bridgedMs(ladder, finding, this.#rules, lapse.sinceMs);
    if (sinceMs === null) return unavailable(lapse.cause);
    return { ...decision, degraded: { cause: lapse.cause, sinceMs } };
  }

  async recheck(call?: Call): Promise<Decision<C>> {
    if (this.#token === null) return this.current();
    const again = { ...this.#rules, signal: call?.signal };
    const before = this.#finding;
    // What it proved stays proved, though the memory of findings may have lost it.
    const proved = before.status === "valid" && before.key !== null ? before : undefined;
    const { decision, finding, lapse } = await reach<C>(this.#ladder, this.#token, again, proved);
    // What was not found out changes nothing, and neither does a rule: it is applied to what is known.
    if (decision.status === "unavailable" || finding.status === "unavailable") return decision;
    // An answer about somebody else is none.
    const isOther =
      finding.status === "valid" && before.status === "valid" && finding.subject !== before.subject;
    if (isOther) return unavailable("authority_unavailable");
    this.#finding = finding;
    this.#lapse = lapse;
    return decision;
  }
}
