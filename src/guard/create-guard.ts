import { HoldfastError } from "../core/errors.ts";
import { onlyKnown, wholeNumber } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { HeaderMemo } from "../jwt/parse.ts";
import { withDeadline } from "../resilience/deadline.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { climber, type Ladder } from "./ladder.ts";
import { Memory } from "./memory.ts";
import { RevocationFollower } from "./revocation-feed.ts";
import { RevocationView } from "./revocation-view.ts";
import { guardSettings, type GuardSettings } from "./settings.ts";
import { statusOf } from "./status.ts";
import type { Guard, GuardOptions } from "./types.ts";

/**
 * A guard for the tokens of one issuer. Options are read once; throws `invalid_option`, `missing_method` or
 * `invalid_key`, naming what is wrong. Follows revocations from now on, so `close` it.
 *
 * ```ts
 * const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys: jwks("https://id.example.com/.well-known/jwks.json"),
 * });
 * const verdict = await guard.validate(token);
 * ```
 */
export function createGuard<C = JwtClaims>(options: GuardOptions): Guard<C> {
  const ladder = build(guardSettings(options));
  ladder.revocations?.start();
  const authorize = climber<C>(ladder);
  const closing = new AbortController();
  return {
    name: ladder.name,
    // Without rules nothing is forbidden.
    validate: authorize as Guard<C>["validate"],
    authorize,
    status: () => statusOf(ladder),
    ready: async (call = {}) => await ready(ladder, call, closing.signal),
    close: async () => {
      ladder.closed = true;
      closing.abort();
      ladder.revocations?.close();
      ladder.keyring.close();
      await Promise.resolve();
    },
  };
}

function build(settings: GuardSettings): Ladder {
  const { name: guard, policy, keys, clock, random, algorithms, snapshots, feed } = settings;
  const view = new RevocationView(policy.issuer, settings.maxRevocations);
  const pollMs = settings.revocationPollMs;
  const source = { guard, issuer: policy.issuer };
  return {
    ...settings,
    keyring: keys.open({ ...source, algorithms, clock, random, snapshots }),
    headers: new HeaderMemo(),
    memory: new Memory({ maxBytes: settings.memoryBytes, ttlMs: settings.memoryTtlMs, clock }),
    flights: new SingleFlight(),
    revocations: feed && new RevocationFollower({ source, feed, view, pollMs, clock, random }),
    closed: false,
  };
}

async function ready(
  ladder: Ladder,
  call: { timeoutMs?: number; signal?: AbortSignal | undefined },
  closing: AbortSignal,
): Promise<void> {
  onlyKnown("ready", call, ["timeoutMs", "signal"]);
  const timeoutMs = wholeNumber("timeoutMs", call.timeoutMs, { default: 5_000, min: 1 });
  const { clock, keyring, revocations, name } = ladder;
  const throwIfClosed = () => {
    if (ladder.closed) throw new HoldfastError("closed", `guard ${name} was closed`);
  };
  throwIfClosed();
  try {
    await withDeadline(
      clock,
      name,
      timeoutMs,
      async (signal) => await Promise.all([keyring.ready(signal), revocations?.ready()]),
      call.signal === undefined ? closing : AbortSignal.any([closing, call.signal]),
    );
  } catch (error) {
    call.signal?.throwIfAborted();
    throwIfClosed();
    const { usable, lastError } = keyring.status();
    const missing = usable ? "a complete view of revocations" : "a key set";
    const why = (usable ? revocations?.status().lastError : lastError) ?? "no answer yet";
    const message = `guard ${name} still lacks ${missing} after ${timeoutMs} ms: ${why}`;
    throw new HoldfastError("not_ready", message, { cause: error });
  }
}
