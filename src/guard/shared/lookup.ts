import type { AuthorityOutcome } from "../authority/authority.ts";
import type { SharedHit, TokenSharedCache } from "./issuer-shared-cache.ts";

/** What was said of a token; `recalled` where another instance had asked. */
export interface LookupResult {
  readonly outcome: AuthorityOutcome;
  readonly sharedHit: SharedHit | null;
}

/** Puts the question to the authority. */
export type AskAuthority = () => AuthorityOutcome | Promise<AuthorityOutcome>;

/**
 * Rungs 6 and 7: what other instances know, else what the authority says. At once, and without a promise, where nobody
 * has to be waited for. `stepMs`: how far the clock is from where it should be.
 */
export function lookUpOrAsk(
  ask: AskAuthority,
  shared: TokenSharedCache | undefined,
  stepMs: number,
): LookupResult | Promise<LookupResult> {
  const recalled = shared?.lookUp(stepMs) ?? null;
  if (recalled instanceof Promise) return awaitLookUp(recalled, ask);
  if (recalled !== null) return { outcome: recalled.answer, sharedHit: recalled };
  const outcome = ask();
  return "status" in outcome ? { outcome, sharedHit: recalled } : awaitOutcome(outcome);
}

async function awaitLookUp(reading: Promise<SharedHit | null>, ask: AskAuthority): Promise<LookupResult> {
  const recalled = await reading;
  return { outcome: recalled?.answer ?? (await ask()), sharedHit: recalled };
}

async function awaitOutcome(outcome: Promise<AuthorityOutcome>): Promise<LookupResult> {
  return { outcome: await outcome, sharedHit: null };
}
