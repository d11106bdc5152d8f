import { invalidOption } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { HeaderMemo } from "../jwt/parse.ts";
import { ProofPool } from "../jwt/proof-pool.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { admitter } from "./admission.ts";
import type { Ladder } from "./context.ts";
import { climber } from "./ladder.ts";
import { Memory } from "./memory.ts";
import { ready } from "./ready.ts";
import { openRealm, Realms } from "./realm.ts";
import { report } from "./report.ts";
import { guardSettings, type GuardSettings } from "./settings.ts";
import { SharedTier } from "./shared/shared-tier.ts";
import { statusOf } from "./status.ts";
import { Timekeeper } from "./timekeeper.ts";
import type { Guard, GuardOptions } from "./types.ts";

/**
 * A guard for the tokens of one issuer, or of several. Options are read once; throws `invalid_option`, `missing_method`
 * or `invalid_key`, naming what is wrong. Follows revocations and probes authorities from now on, so `close` it.
 *
 * ```ts
 * const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   authority: introspection({ url: "https://id.example.com/introspect", clientId: "api", clientSecret }),
 *   degraded: "local",
 * });
 * const verdict = await guard.validate(token);
 * ```
 */
export function createGuard<C = JwtClaims>(options: GuardOptions): Guard<C> {
  const ladder = build(guardSettings(options));
  const { realms } = ladder;
  if (ladder.snapshots === undefined) start(ladder);
  else ladder.restoring = restore(ladder);
  const authorize = climber<C>(ladder);
  const closing = new AbortController();
  return {
    name: ladder.name,
    // Without rules nothing is forbidden.
    validate: authorize as Guard<C>["validate"],
    authorize,
    admit: admitter<C>(ladder),
    watch: (listener) => {
      // A listener of its own each time, so that one who watches twice can end either.
      const ends = realms.all.map(({ view }) => view.listen(() => listener()));
      return () => ends.forEach((end) => end());
    },
    status: () => statusOf(ladder),
    ready: async (call = {}) => await ready(ladder, call, closing.signal),
    distrustKeys: (issuer) => realms.named(issuer).keyring.distrust(),
    forceBreaker: (state, issuer) => {
      const { authority } = realms.named(issuer);
      if (authority === undefined) throw invalidOption("issuer", "one with an authority", issuer);
      authority.force(state);
    },
    close: async () => {
      ladder.closed = true;
      closing.abort();
      for (const { revocations, authority } of realms.all) {
        revocations?.close();
        authority?.close();
      }
      await Promise.all([
        ladder.tier?.close(),
        ...realms.all.flatMap(({ keyring, snapshot }) => [keyring.close(), snapshot?.close()]),
      ]);
    },
  };
}

/** What earlier runs knew comes first. */
async function restore(ladder: Ladder): Promise<void> {
  await Promise.all(ladder.realms.all.map(async ({ snapshot }) => await snapshot?.restore()));
  ladder.restoring = null;
  if (!ladder.closed) start(ladder);
}

function start({ realms, tier }: Ladder): void {
  tier?.start(async (answers) => {
    for (const { share } of realms.all) await share?.warmUp(answers);
  });
  for (const { revocations, authority } of realms.all) {
    revocations?.start();
    authority?.start();
  }
}

function build(settings: GuardSettings): Ladder {
  const { name: guard, clock, memoryBytes: maxBytes, memoryTtlMs: ttlMs, toleranceMs } = settings;
  const onStep = (stepMs: number) => {
    const way = stepMs > 0 ? "ahead" : "back";
    const message = `the clock went ${Math.round(Math.abs(stepMs))} ms ${way}`;
    report({ guard, issuer: null }, "clock_stepped", message);
  };
  const tier = settings.shared && new SharedTier({ ...settings, source: settings.shared });
  return {
    ...settings,
    tier,
    realms: new Realms(settings.issuers.map((issuer) => openRealm(settings, issuer, tier))),
    timekeeper: new Timekeeper(clock, onStep),
    headers: new HeaderMemo(),
    memory: new Memory({ maxBytes, ttlMs, toleranceMs, clock }),
    proofs: new ProofPool(),
    flights: new SingleFlight(),
    questions: new Map(),
    restoring: null,
    closed: false,
  };
}
