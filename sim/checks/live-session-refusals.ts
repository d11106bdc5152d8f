import type { End, Facts, IssuedToken } from "./facts.ts";
import { mayHaveLostKey } from "./lost-keys.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";

/** The clocks of services may be wrong by this much without a step. */
const DRIFT_MS = 2_000;
/** A cut-off without a number reaches the tokens of its own second and of the next one. */
const UNNUMBERED_MS = 2_000;
/** A request whose answer got lost takes effect within this time, even if a frozen process or a slow store delays it. */
const LATEST_EFFECT_MS = 60_000;

/** Whether a guard may call a token revoked although its session lives on. */
export function mayRefuseLiveSession(
  operation: RecordedOperation,
  token: IssuedToken,
  facts: Facts,
  plan: RunHistory["plan"],
): boolean {
  return (
    mayBeUnnumbered(operation, token, facts, plan) ||
    authorityMayBeAhead(operation, token, facts, plan) ||
    (hasAuthority(operation, plan) && mayHaveLostKey(operation, token, facts))
  );
}

/**
 * An authority calls a token inactive that has expired by its clock, which may be ahead. The guard remembers the answer
 * for as long as the token lives, so the question may have come at any time since the token was issued. A guard whose own
 * clock was set back calls such a token revoked.
 */
function authorityMayBeAhead(
  operation: RecordedOperation,
  { expiresAt, receivedAt }: IssuedToken,
  { clockSteps }: Facts,
  plan: RunHistory["plan"],
): boolean {
  const { ended } = operation;
  const { services } = plan;
  if (!hasAuthority(operation, plan)) return false;
  if (ended > expiresAt - DRIFT_MS) return true;
  return clockSteps.some((step) => {
    const askedAt = Math.min(step.ended, ended);
    if (!services.includes(step.process) || step.began > ended || askedAt < receivedAt - DRIFT_MS)
      return false;
    const aheadMs = clockSteps
      .filter(
        ({ process, began, ended: end }) => process === step.process && began <= askedAt && askedAt <= end,
      )
      .reduce((sum, { ms }) => sum + ms, 0);
    return askedAt + aheadMs > expiresAt - DRIFT_MS;
  });
}

/** Whether the guard that decided asks an authority. */
export function hasAuthority({ call }: RecordedOperation, { guards }: RunHistory["plan"]): boolean {
  return guards.some((guard) => guard.name === call["guard"] && guard.hasAuthority);
}

/**
 * A service of an older version tells the cut-offs of a user without a number. A guard that reads its log then refuses the
 * tokens of the seconds of the cut-off, too. A guard in a service reads the log of the store, which has the numbers unless
 * the version before has written it.
 */
function mayBeUnnumbered(
  { call, ended }: RecordedOperation,
  { expiresAt, user }: IssuedToken,
  facts: Facts,
  { guards, olderServices, upgrades, lifetimes }: RunHistory["plan"],
): boolean {
  const readsService = guards.some(({ name }) => name === call["guard"]);
  if (upgrades.length === 0 && (olderServices.length === 0 || !readsService)) return false;
  const issuedAt = expiresAt - lifetimes.accessTokenTtlMs;
  const reachesUntil = (end: End) => Math.min(end.ended, end.began + LATEST_EFFECT_MS) + UNNUMBERED_MS;
  return facts.endsOfUser(user).some((end) => end.began < ended && issuedAt < reachesUntil(end));
}
