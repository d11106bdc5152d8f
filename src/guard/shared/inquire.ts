import type { AuthorityOutcome } from "../authority/authority.ts";
import type { Recalled, SharedQuestion } from "./share.ts";

/** What was said of a token; `recalled` where another instance had asked. */
export interface Said {
  readonly outcome: AuthorityOutcome;
  readonly recalled: Recalled | null;
}

/** Puts the question to the authority. */
export type Ask = () => AuthorityOutcome | Promise<AuthorityOutcome>;

/**
 * Rungs 6 and 7: what other instances know, else what the authority says. At once, and without a promise, where nobody
 * has to be waited for. `stepMs`: how far the clock is from where it should be.
 */
export function inquire(ask: Ask, shared: SharedQuestion | undefined, stepMs: number): Said | Promise<Said> {
  const recalled = shared?.recall(stepMs) ?? null;
  if (recalled instanceof Promise) return recalledOrAsked(recalled, ask);
  if (recalled !== null) return { outcome: recalled.answer, recalled };
  const outcome = ask();
  return "status" in outcome ? { outcome, recalled } : asked(outcome);
}

async function recalledOrAsked(reading: Promise<Recalled | null>, ask: Ask): Promise<Said> {
  const recalled = await reading;
  return { outcome: recalled?.answer ?? (await ask()), recalled };
}

async function asked(outcome: Promise<AuthorityOutcome>): Promise<Said> {
  return { outcome: await outcome, recalled: null };
}
