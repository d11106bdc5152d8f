import type { Headline } from "../../dashboard/wire-state.ts";
import type { Role } from "../setting-definitions.ts";

/*
 * The shape of `GET /health` on the admin listener. The status page, the probes and everything else that tells the state
 * of the service read it. Times are epoch milliseconds.
 */

export type HealthStatus = "ok" | "degraded" | "unavailable";

/** A kind of answer that users ask for. */
export type Outcome = "login" | "refresh" | "ownTokens" | "providerTokens";

export type ComponentName = "store" | "keys" | "revocations" | "guard" | "clock" | "provider" | "gateway";

/** The finding of one check of a component. */
export interface ComponentFinding {
  /** `degraded`: the component works, but not always, or not for long when its problem lasts. */
  readonly status: HealthStatus;
  /** A code such as `SQLITE_FULL`, `OOM` or `WRONGPASS`. `null` when the component is `ok`, or gave no code. */
  readonly reason: string | null;
  /** A text for the operator, without credentials. */
  readonly detail: string;
  /** The effect of this component on users. A missing outcome is not affected. */
  readonly outcomes: Partial<Record<Outcome, Exclude<HealthStatus, "ok">>>;
  /** Whether another process on the same store may do what this one cannot do. */
  readonly isAlone?: boolean;
  /** For how long the component has failed, where it knows. Otherwise the first check that found it counts. */
  readonly failingMs?: number;
}

export interface ComponentHealth extends Omit<ComponentFinding, "isAlone" | "failingMs"> {
  /** When the component began to fail, where it knows. Otherwise when a check first found this status. */
  readonly since: number;
  /** When a check last found the component `ok`. `null` when none did. */
  readonly lastOkAt: number | null;
  /** The effect on users as a sentence. `null` when it affects no answer. */
  readonly effect: string | null;
  /** The first thing to look at. `null` when the component is well. */
  readonly advice: string | null;
}

/** The state of one kind of answer. */
export interface OutcomeHealth {
  readonly status: HealthStatus;
  /** The components that cause the status. It has `answers` when recent answers show more than the components do. */
  readonly because: readonly (ComponentName | "answers")[];
}

export interface ServiceHealth {
  /** One sentence: the part that fails, and what users notice. */
  readonly headline: Headline;
  /**
   * `unavailable` when this process should get no requests. `degraded` when a part fails and another one still answers.
   */
  readonly status: HealthStatus;
  /** When a check first found this status. */
  readonly since: number;
  /** The status of each role of this process, for those who route by role. */
  readonly roles: Readonly<Partial<Record<Role, HealthStatus>>>;
  /** `providerTokens` is present when `HOLDFAST_PROVIDER_ISSUER` is set. */
  readonly outcomes: Readonly<Record<Exclude<Outcome, "providerTokens">, OutcomeHealth>> & {
    readonly providerTokens?: OutcomeHealth;
  };
  /** `provider` is present when `HOLDFAST_PROVIDER_ISSUER` is set, and `gateway` under a policy. */
  readonly components: Readonly<Record<Exclude<ComponentName, "provider" | "gateway">, ComponentHealth>> & {
    readonly provider?: ComponentHealth;
    readonly gateway?: ComponentHealth;
  };
}

/** How much users notice: 0 for nothing, 2 for answers 503. */
export function outcomeRank(outcomes: ComponentFinding["outcomes"]): number {
  return ranks.indexOf(worstOf(Object.values(outcomes)));
}

const ranks: readonly HealthStatus[] = ["ok", "degraded", "unavailable"];

export function worstOf(statuses: readonly HealthStatus[]): HealthStatus {
  return ranks[Math.max(0, ...statuses.map((status) => ranks.indexOf(status)))] ?? "ok";
}
