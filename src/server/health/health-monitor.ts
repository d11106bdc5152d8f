import { revocationAgeBounds, type RevocationAgeBounds } from "../../gateway/policy.ts";
import { readClock, type Clock, type Instant } from "../../core/clock.ts";
import type { GuardStatus } from "../../guard/status-types.ts";
import type { Service } from "../service.ts";
import type { Role } from "../setting-definitions.ts";
import { AnswerLog, type AnswerKind, type SessionFault } from "./answer-log.ts";
import {
  clockFinding,
  guardFinding,
  keysFinding,
  providerFinding,
  revocationsFinding,
  storeFinding,
  worstProvider,
} from "./component-health.ts";
import { defaultFallback, revocationLimitMs, type FallbackPolicy } from "./fallback.ts";
import { describeHeadline, findProblems } from "./headline.ts";
import { capitalize } from "./words.ts";
import type { HeadlineFacts, Problem } from "./problems.ts";
import {
  worstOf,
  type ComponentFinding,
  type ComponentHealth,
  type ComponentName,
  type HealthStatus,
  type Outcome,
  type OutcomeHealth,
  type ServiceHealth,
} from "./service-health.ts";
import type { ProxyMonitor } from "./proxy-monitor.ts";
import { StoreProbe } from "./store-probe.ts";

type Findings = Readonly<Record<Exclude<ComponentName, "provider" | "gateway">, ComponentFinding>> & {
  readonly provider?: ComponentFinding;
  readonly gateway?: ComponentFinding;
};

type Outcomes = ServiceHealth["outcomes"];

/** The clocks of a machine that was not suspended and not set differ by less. */
const CLOCK_STEP_MS = 2_000;

/** The outcomes of each role. A role works while one of them does. */
const roleOutcomes: Readonly<Record<Role, readonly Outcome[]>> = {
  issuer: ["login", "refresh"],
  gateway: ["ownTokens", "providerTokens"],
};

/** Finds out what users get from this process, and remembers since when. */
export class HealthMonitor {
  readonly #service: Service;
  readonly #roles: ReadonlySet<Role>;
  readonly #clock: Clock;
  readonly #bounds: RevocationAgeBounds;
  readonly #fallback: FallbackPolicy;
  readonly #probe: StoreProbe;
  readonly #answers: AnswerLog;
  readonly #proxies: ProxyMonitor | undefined;
  #guardProbes = 0;
  #faults: Readonly<Record<SessionFault, number>> = { damaged: 0, lost: 0 };
  readonly #seen = new Map<string, { status: HealthStatus; first: Instant; lastOkAt: number | null }>();

  /**
   * `bounds` are those of the policy, under which the service answers `/verify`. `fallback` is that of the guard.
   * `proxies` knows who asks `/verify` under a policy.
   */
  constructor(
    service: Service,
    roles: ReadonlySet<Role>,
    clock: Clock = service.platform.clock,
    bounds: RevocationAgeBounds = revocationAgeBounds(),
    fallback: FallbackPolicy = defaultFallback,
    proxies?: ProxyMonitor,
  ) {
    this.#service = service;
    this.#roles = roles;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#fallback = fallback;
    this.#proxies = proxies;
    this.#probe = new StoreProbe(
      service.store,
      clock,
      roles.has("issuer") ? "write" : "read",
      service.platform.entropy,
    );
    this.#answers = new AnswerLog(clock);
  }

  /** How many forged tokens the checks have shown to the guard. */
  get guardProbes(): number {
    return this.#guardProbes;
  }

  /** Counts an answer that a user got. */
  recordAnswer(kind: AnswerKind, status: number, source?: string): void {
    this.#answers.record(kind, status, source, status >= 500 ? this.#newFault() : null);
  }

  /** The fault of a session that the issuer has found since the last answer that failed. */
  #newFault(): SessionFault | null {
    const { damaged, lost } = this.#service.issuer.status().sessions;
    const before = this.#faults;
    this.#faults = { damaged, lost };
    if (damaged > before.damaged) return "damaged";
    return lost > before.lost ? "lost" : null;
  }

  /** Checks each component by its work. Answers within half a second, also when the store does not. Never rejects. */
  async check(): Promise<ServiceHealth> {
    const { findings, guardStatus } = await this.#findings();
    const outcomes = this.#outcomes(findings);
    const roles = Object.fromEntries(
      [...this.#roles].map((role) => [role, roleStatus(role, findings, outcomes)]),
    ) as ServiceHealth["roles"];
    const statuses = [...Object.values(findings), ...Object.values(outcomes)].map(({ status }) => status);
    const isOut = mustLeave(this.#roles, findings, outcomes);
    const status: HealthStatus = isOut ? "unavailable" : worstOf(statuses) === "ok" ? "ok" : "degraded";
    const components = Object.fromEntries(
      Object.entries(findings).map(([name, finding]) => [name, this.#remember(name, finding)]),
    ) as unknown as ServiceHealth["components"];
    const health = { status, since: this.#seenSince("service", status).since, roles, outcomes, components };
    const facts = this.#facts(health, guardStatus);
    const problems = findProblems(facts);
    return {
      headline: describeHeadline(facts, problems),
      ...health,
      components: withEffects(components, problems),
    };
  }

  #facts(health: HeadlineFacts["health"], guard: GuardStatus): HeadlineFacts {
    const { store } = this.#service;
    const since = (kind: AnswerKind) =>
      this.#seenSince(`answers to ${kind}`, health.outcomes[kind].status).since;
    return {
      health,
      guard,
      store,
      fallback: this.#fallback,
      revocationLimitMs: revocationLimitMs(this.#fallback, this.#bounds),
      answers: { login: this.#answers.summary("login"), refresh: this.#answers.summary("refresh") },
      answersSince: { login: since("login"), refresh: since("refresh") },
      now: this.#clock.now(),
    };
  }

  /** The findings, and the status of the guard that they and the words of the headline come from. */
  async #findings(): Promise<{ readonly findings: Findings; readonly guardStatus: GuardStatus }> {
    const { store, issuer, guard } = this.#service;
    const hasProvider = worstProvider(guard.status()) !== null;
    this.#guardProbes++;
    const [probe, guardWork] = await Promise.all([
      this.#probe.check(),
      guardFinding(this.#service, hasProvider),
    ]);
    // The view of revocations may have become too old while the store did not answer the probe.
    const guardStatus = guard.status();
    const [own] = guardStatus.issuers;
    const provider = worstProvider(guardStatus);
    if (own === undefined) throw new TypeError("the guard of the service has no issuer");
    const findings = {
      store: storeFinding(store, probe, issuer.status().store, this.#clock.now()),
      keys: keysFinding(own.keys),
      revocations: revocationsFinding(own, this.#bounds),
      guard: guardWork,
      clock: clockFinding(guardStatus, issuer.status().store),
      ...(provider !== null && { provider: providerFinding(provider, guardStatus, this.#fallback) }),
      ...(this.#proxies !== undefined && { gateway: this.#proxies.finding(provider !== null) }),
    };
    return { findings, guardStatus };
  }

  #outcomes(findings: Findings): Outcomes {
    const named = Object.entries(findings) as [ComponentName, ComponentFinding][];
    const outcome = (name: Outcome): OutcomeHealth => {
      const causes = named.filter(([, finding]) => finding.outcomes[name] !== undefined);
      const because = causes.map(([component]) => component);
      const status = worstOf(causes.map(([, finding]) => finding.outcomes[name] ?? "ok"));
      const isAiling = (name === "login" || name === "refresh") && this.#answers.isAiling(name);
      return status === "ok" && isAiling ? { status: "degraded", because: ["answers"] } : { status, because };
    };
    return {
      login: outcome("login"),
      refresh: outcome("refresh"),
      ownTokens: outcome("ownTokens"),
      ...(findings.provider !== undefined && { providerTokens: outcome("providerTokens") }),
    };
  }

  #remember(name: string, finding: ComponentFinding): ComponentHealth {
    const { status, reason, detail, outcomes, failingMs } = finding;
    const seen = this.#seenSince(name, status);
    return {
      status,
      reason,
      detail,
      outcomes,
      effect: null,
      advice: null,
      ...seen,
      // Headline, part and upstream tell one duration.
      ...(failingMs !== undefined && { since: Math.round(this.#clock.now() - failingMs) }),
    };
  }

  #seenSince(name: string, status: HealthStatus): { since: number; lastOkAt: number | null } {
    const now = readClock(this.#clock);
    const before = this.#seen.get(name);
    const first = before?.status === status ? before.first : now;
    const lastOkAt = status === "ok" ? now.wall : (before?.lastOkAt ?? null);
    this.#seen.set(name, { status, first, lastOkAt });
    // A time that was read before the wall clock was set would tell a duration that never was.
    const elapsed = now.monotonic - first.monotonic;
    const isStepped = Math.abs(now.wall - first.wall - elapsed) > CLOCK_STEP_MS;
    return { since: isStepped ? Math.round(now.wall - elapsed) : first.wall, lastOkAt };
  }
}

/**
 * Whether requests should go to another process. A failure of the shared store is the same everywhere, so it takes no
 * process out that still does a part of its work.
 */
function mustLeave(roles: ReadonlySet<Role>, findings: Findings, outcomes: Outcomes): boolean {
  const statuses = [...roles].map((role) => roleStatus(role, findings, outcomes));
  if (statuses.every((status) => status === "unavailable")) return true;
  // While the store works, keys and revocations that are missing are missing in this process only.
  const isGatewayAlone = findings.store.status === "ok" && outcomes.ownTokens.status === "unavailable";
  const isAlone = [
    ...(roles.has("gateway") ? [findings.guard] : []),
    ...(roles.has("issuer") ? [findings.store] : []),
  ].some((finding) => finding.isAlone === true);
  return isAlone || (roles.has("gateway") && isGatewayAlone);
}

/** Gives each component the effect and the advice that the headline would name, so that both agree. */
function withEffects(
  components: ServiceHealth["components"],
  problems: readonly Problem[],
): ServiceHealth["components"] {
  const told = Object.entries(components).map(([name, component]: [string, ComponentHealth]) => {
    const { effect = null, advice = null } = problems.find(({ part }) => part === name) ?? {};
    return [name, { ...component, effect: effect === null ? null : `${capitalize(effect)}.`, advice }];
  });
  return Object.fromEntries(told);
}

function roleStatus(role: Role, findings: Findings, outcomes: Outcomes): HealthStatus {
  if (role === "gateway" && findings.guard.status === "unavailable") return "unavailable";
  const statuses = roleOutcomes[role].flatMap((name) => outcomes[name]?.status ?? []);
  if (statuses.every((status) => status === "unavailable")) return "unavailable";
  return worstOf(statuses) === "ok" ? "ok" : "degraded";
}
