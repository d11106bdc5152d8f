import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { TestContext } from "node:test";
import type { GuardEvent } from "../../../src/core/events.ts";
import { createGuard, introspection, staticKeys, type Guard } from "../../../src/index.ts";
import type { AuthorityOptions } from "../../../src/guard/authority/settings.ts";
import type { SingleIssuerOptions } from "../../../src/guard/types.ts";
import { createProvider, FakeClock, seededRandom, type Provider } from "../../../src/testing/index.ts";

export const audience = "https://api.example" as const;
export const minute = 60_000 as const;
export const hour = 3_600_000 as const;

/** A provider and guards that use its introspection, on one virtual clock. */
export interface Fixture {
  readonly clock: FakeClock;
  readonly provider: Provider;
  /** Makes a guard for the provider's tokens. `options` replace the defaults. The guard is closed when the test ends. */
  readonly guard: (options?: Partial<SingleIssuerOptions>, authority?: Partial<AuthorityOptions>) => Guard;
  /** The tokens that the guards asked about so far, without probes. */
  readonly asked: string[];
  /** The greatest number of questions in flight at once. */
  readonly maxInFlight: () => number;
  /** Returns the events of the guards since the last call, in order. */
  readonly events: () => GuardEvent["event"][];
  /** Makes the provider answer every question with this, except those of probes. */
  readonly respondWith: (answer: object | ((token: string) => object | Response)) => void;
}

const isProbe = (token: string) => token.startsWith("holdfast-probe-");

export async function makeFixture(t: TestContext, lifetimeMs: number = 24 * hour): Promise<Fixture> {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, lifetimeMs, clock });
  const asked: string[] = [];
  let underWay = 0;
  let most = 0;
  const counted: typeof provider.fetch = async (url, init) => {
    const token = new URLSearchParams(init?.body as string).get("token") ?? "";
    if (isProbe(token)) return await provider.fetch(url, init);
    asked.push(token);
    most = Math.max(most, ++underWay);
    try {
      return await provider.fetch(url, init);
    } finally {
      underWay--;
    }
  };
  return {
    clock,
    provider,
    asked,
    maxInFlight: () => most,
    events: listen(t),
    guard: (options = {}, authority = {}) => {
      const guard = createGuard({
        issuer: provider.issuer,
        audience,
        keys: staticKeys(provider.jwks()),
        authority: introspection({
          url: provider.url("introspection"),
          clientId: provider.clientId,
          clientSecret: provider.clientSecret,
          fetch: counted,
          opaque: true,
          ...authority,
        }),
        name: t.name,
        clock,
        random: seededRandom(1),
        ...options,
      });
      t.after(async () => await guard.close());
      return guard;
    },
    respondWith: (answer) =>
      provider.fault("introspection", {
        respond: async (request) => {
          const token = new URLSearchParams(await request.text()).get("token") ?? "";
          if (isProbe(token)) return Response.json({ active: false });
          const said = typeof answer === "function" ? answer(token) : answer;
          return said instanceof Response ? said : Response.json(said);
        },
      }),
  };
}

/** Collects the events of guards that have the test's name. */
function listen(t: TestContext): Fixture["events"] {
  const seen: GuardEvent["event"][] = [];
  const hear = (event: unknown) => {
    const said = event as GuardEvent;
    if (said.guard === t.name) seen.push(said.event);
  };
  subscribe("holdfast:guard", hear);
  t.after(() => unsubscribe("holdfast:guard", hear));
  return () => seen.splice(0);
}

/** Returns the value of `promise` after `ms`, or `"pending"`. */
export async function settleWithin<T>(
  clock: FakeClock,
  ms: number,
  promise: Promise<T>,
): Promise<T | "pending"> {
  let outcome: T | "pending" = "pending";
  const watch = async () => {
    outcome = await promise;
  };
  void watch();
  await clock.advance(ms);
  await new Promise<void>((resolve) => setImmediate(resolve));
  return outcome;
}

/** Describes a decision in a word or two: `valid`, `degraded: authority_unavailable`, `invalid: revoked`, `pending`. */
export function describeDecision(decision: Awaited<ReturnType<Guard["authorize"]>> | "pending"): string {
  if (decision === "pending") return decision;
  if (decision.status === "invalid") return `invalid: ${decision.reason}`;
  if (decision.status === "unavailable") return `unavailable: ${decision.cause}`;
  if (decision.status === "forbidden" || decision.degraded === null) return decision.status;
  return `degraded: ${decision.degraded.cause}`;
}

/** The verdicts while the authority gives no answer: refused, and accepted in degraded mode. */
export const noAnswer = "unavailable: authority_unavailable" as const;
export const degradedVerdict = "degraded: authority_unavailable" as const;
