import { hash } from "node:crypto";
import { instant, type Instant } from "../core/clock.ts";
import { decisionEvents, type DecisionEvent } from "../core/events.ts";
import { invalid, unavailable, type Decision, type Invalid, type Unavailable } from "../core/verdict.ts";
import { abandonable } from "../resilience/deadline.ts";
import { consult } from "./consult.ts";
import type { Ladder } from "./context.ts";
import { decide, type Lapse } from "./decide.ts";
import { letIn } from "./degraded.ts";
import type { Finding, Known } from "./finding.ts";
import { find } from "./find.ts";
import { checkRules } from "./rules.ts";
import type { Call, Guard, Rules } from "./types.ts";

/** Where the rungs led. */
export interface Reached<C> {
  readonly decision: Decision<C>;
  /** What was decided on; `lapse` when that was without the authority. */
  readonly finding: Finding;
  readonly lapse: Lapse | null;
}

/**
 * From a token to a decision, rung by rung. What is joined and remembered are findings; `decide` has the last
 * word on every call. Rejects with the reason of the caller's own signal, and for rules that are none.
 */
export function climber<C>(ladder: Ladder): Guard<C>["authorize"] {
  return async (token, rules) => {
    const refused = refuse(ladder, token, rules);
    if (refused !== null) return announce(ladder, refused, null);
    const digest = digestOf(token);
    const now = instant(ladder.clock);
    const recalled = recall(ladder, digest, now);
    if (recalled !== undefined) {
      return announce(ladder, decide<C>(ladder, recalled, "memory", now, rules), "memory");
    }
    return (await climb<C>(ladder, token, digest, now, rules)).decision;
  };
}

/** The same for those who go on with what was found. `proved`: what they have of the token already. */
export async function reach<C>(
  ladder: Ladder,
  token: string,
  rules: (Rules & Call) | undefined,
  proved?: Known,
): Promise<Reached<C>> {
  const refused = refuse(ladder, token, rules);
  if (refused !== null) return arrive(ladder, refused, refused, null);
  const digest = digestOf(token);
  const now = instant(ladder.clock);
  const recalled = recall(ladder, digest, now);
  if (recalled === undefined) return await climb<C>(ladder, token, digest, now, rules, proved);
  return arrive(ladder, decide<C>(ladder, recalled, "memory", now, rules), recalled, "memory");
}

/** What needs no look at the token. */
function refuse(
  ladder: Ladder,
  token: string,
  rules: (Rules & Call) | undefined,
): Invalid | Unavailable | null {
  if (rules !== undefined) {
    checkRules(rules);
    rules.signal?.throwIfAborted();
  }
  if (ladder.closed) return unavailable("closed");
  if (typeof token !== "string") return invalid("malformed");
  return token.length > ladder.maxTokenBytes ? invalid("too_large") : null;
}

/** Rungs 4 to 9. Apart, because a small function makes a hit cheaper. */
async function climb<C>(
  ladder: Ladder,
  token: string,
  digest: string,
  now: Instant,
  rules: (Rules & Call) | undefined,
  proved?: Known,
): Promise<Reached<C>> {
  if (ladder.restoring !== null) await abandonable(ladder.restoring, rules?.signal);
  const earlier =
    recallStale(ladder, digest, now) ?? (proved && stillStands(proved, now) ? proved : undefined);
  const sought = earlier ?? find(ladder, token, digest);
  const base = sought instanceof Promise ? await abandonable(sought, rules?.signal) : sought;
  if ("status" in base) {
    const byItself = decideAfterWaiting<C>(ladder, base, "origin", rules);
    // What is refused without the authority need not be asked about.
    const isOver = base.status !== "valid" || base.realm.authority === undefined;
    if (isOver || byItself.status === "invalid") return arrive(ladder, byItself, base, "origin");
  }
  const { finding, lapse, from: found } = await consult(ladder, token, digest, base, rules);
  const from = finding === earlier ? "memory" : found;
  const decision = decideAfterWaiting<C>(ladder, finding, from, rules, lapse);
  if (lapse !== null) {
    if (decision.status === "valid") letIn(ladder, finding, lapse);
    // What a token does not grant by itself, the authority might.
    if (decision.status === "forbidden" && !finding.isWhole) {
      return arrive(ladder, unavailable(lapse.cause), finding, from);
    }
  }
  return arrive(ladder, decision, finding, from, lapse);
}

function arrive<C>(
  ladder: Ladder,
  decision: Decision<C>,
  finding: Finding,
  from: DecisionEvent["from"],
  lapse: Lapse | null = null,
): Reached<C> {
  return { decision: announce(ladder, decision, from), finding, lapse };
}

/** What was true before the wait need not be true any more. */
function decideAfterWaiting<C>(
  ladder: Ladder,
  found: Finding,
  from: "memory" | "shared" | "origin",
  rules: Rules | undefined,
  lapse: Lapse | null = null,
): Decision<C> {
  if (ladder.closed) return unavailable("closed");
  const now = instant(ladder.clock);
  if (found.status === "valid" && !stillStands(found, now)) return unavailable("key_pending");
  return decide(ladder, found, from, now, rules, lapse);
}

function announce<C>({ name }: Ladder, decision: Decision<C>, from: DecisionEvent["from"]): Decision<C> {
  if (decisionEvents.hasSubscribers) {
    const { status } = decision;
    const detail = status === "invalid" ? decision.reason : status === "unavailable" ? decision.cause : null;
    const degraded = status === "valid" && decision.degraded !== null;
    decisionEvents.publish({ guard: name, status, detail, from, degraded });
  }
  return decision;
}

/**
 * Of the whole token: hashing a part would let the rest be swapped. Unpaired surrogates are hashed alike, but never
 * like ASCII, and a proof refuses both.
 */
function digestOf(token: string): string {
  return hash("sha256", token, "binary");
}

function recall({ memory, realms }: Ladder, digest: string, now: Instant): Known | Invalid | undefined {
  const valid = memory.valid(digest, now);
  if (valid === undefined) return memory.invalid(digest, now, realms.keysVersion);
  return stillStands(valid, now) ? valid : undefined;
}

export function stillStands({ key, era, realm }: Known, now: Instant): boolean {
  const { keyring } = realm;
  return key === null ? era === null || era === keyring.era : keyring.holds(key, now);
}

/** What saves a second proof where only the authority has to be asked (again), or where the key has vanished meanwhile. */
function recallStale({ memory }: Ladder, digest: string, now: Instant): Known | undefined {
  const stale = memory.stale(digest, now);
  if (stale === undefined || !stillStands(stale, now)) return undefined;
  const { key, kid, era, realm } = stale;
  // A key that could not be fetched may be here by now.
  if (era !== null && !realm.keyring.mayLack(kid)) return undefined;
  return realm.authority !== undefined || (key !== null && realm.keyring.vanished(key, now))
    ? stale
    : undefined;
}
