import { elapsedMs, instant, type Instant } from "../core/clock.ts";
import { checkClaims } from "../jwt/claims.ts";
import { abandonable, afterWorking } from "../resilience/deadline.ts";
import type { Authority, AuthorityOutcome } from "./authority/authority.ts";
import type { Lapse } from "./decide.ts";
import { narrower } from "./degraded.ts";
import { invalid, unavailable, vouched, type Finding, type Known } from "./finding.ts";
import type { Ladder } from "./ladder.ts";
import { deny, type Realm } from "./realm.ts";
import { describe, report } from "./report.ts";
import type { Call, Rules } from "./types.ts";

/** One question to an authority, joined by all who have it. */
export interface Question {
  readonly began: Instant;
  readonly answer: Promise<Finding>;
  /** Resolves when those who may do without should wait no longer. */
  readonly patience: Promise<null>;
}

/** What to decide on, and whether that is without the authority. */
export interface Consulted {
  readonly finding: Finding;
  readonly lapse: Lapse | null;
}

/** An authority that does not know an opaque token may yet hear of it. */
const UNKNOWN_MS = 10_000;

/**
 * Rungs 7 to 9 for a token that has an authority: `base` is what is known of it without an answer, or its realm when
 * that is nothing. Who may fall back waits with patience only; the question goes on, and its late answer lands.
 */
export async function consult(
  ladder: Ladder,
  token: string,
  digest: string,
  base: Known | Realm,
  rules: (Rules & Call) | undefined,
): Promise<Consulted> {
  const asked = ask(ladder, token, digest, base);
  if (!("began" in asked)) return instead(ladder, asked, base, rules, 0);
  const mayDoWithout = "claims" in base && mayStand(base, narrower(ladder.degraded.mode, rules?.degraded));
  const wait = mayDoWithout ? Promise.race([asked.answer, asked.patience]) : asked.answer;
  const finding = (await abandonable(wait, rules?.signal)) ?? unavailable("authority_unavailable");
  return instead(ladder, finding, base, rules, elapsedMs(ladder.clock, asked.began));
}

/** Joins the question under way, or asks; at once where nobody is asked. */
function ask(ladder: Ladder, token: string, digest: string, base: Known | Realm): Question | Finding {
  const { questions, clock } = ladder;
  const joined = questions.get(digest);
  if (joined !== undefined) return joined;
  const { authority, source } = realmOf(base);
  if (authority === undefined) return unavailable("authority_unavailable");
  const began = instant(clock);
  let outcome: ReturnType<Authority["ask"]>;
  const failed = (error: unknown) => {
    report(source, "authority_failed", describe(error));
    return unavailable("authority_unavailable");
  };
  try {
    outcome = authority.ask(token);
  } catch (error) {
    return failed(error);
  }
  if ("status" in outcome) return land(ladder, token, digest, base, outcome);
  let stop = () => {};
  const patience = new Promise<null>((resolve) => {
    stop = afterWorking(clock, authority.patienceMs, () => resolve(null));
  });
  const wait = async () => {
    try {
      return land(ladder, token, digest, base, await outcome);
    } catch (error) {
      return failed(error);
    } finally {
      stop();
      questions.delete(digest);
    }
  };
  const question = { began, answer: wait(), patience };
  questions.set(digest, question);
  return question;
}

/** What an answer makes of what was known; remembered, whoever still waits for it. */
function land(
  { memory, realms, toleranceMs, clock }: Ladder,
  token: string,
  digest: string,
  base: Known | Realm,
  outcome: AuthorityOutcome,
): Finding {
  if (outcome.status === "unavailable") return outcome;
  const realm = realmOf(base);
  realm.lapses.end();
  if (outcome.status === "yes") {
    const finding = reconcile(realm, base, outcome.claims);
    if (finding.status === "valid") memory.keepValid(digest, finding, token.length);
    return finding;
  }
  memory.forget(digest);
  if (!("claims" in base) || base.key === null) {
    memory.keepInvalid(digest, "inactive", realms.keysVersion, UNKNOWN_MS);
    return invalid("inactive");
  }
  if (base.tokenId !== undefined) deny(realm, base.tokenId, base.expiresAt + toleranceMs, clock);
  if (base.lapsedAt !== null) {
    report(realm.source, "late_no", "a token that was let in is refused from now on");
  }
  return invalid("revoked");
}

/** An answer about somebody else, or for somebody else, is none about this token. */
function reconcile(realm: Realm, base: Known | Realm, said: Known["claims"]): Finding {
  const contradicts = "claims" in base && said.sub !== undefined && said.sub !== base.claims.sub;
  const foreign = said.iss !== undefined && said.iss !== realm.policy.issuer;
  if (contradicts || foreign) {
    report(realm.source, "authority_failed", "the authority answered about another subject or issuer");
    return unavailable("authority_unavailable");
  }
  if (said["cnf"] !== undefined) return invalid("sender_constrained");
  if (!("claims" in base)) {
    const claims = said.iss === undefined ? Object.freeze({ ...said, iss: realm.policy.issuer }) : said;
    const refused = checkClaims({ claims, typ: undefined }, { ...realm.policy, requireTyp: false });
    if (refused !== null) return invalid(refused);
    return vouched(claims, realm);
  }
  return vouched(said, base);
}

/** Rung 8: what the policy allows when there is no answer. */
function instead(
  ladder: Ladder,
  finding: Finding,
  base: Known | Realm,
  rules: Rules | undefined,
  waitedMs: number,
): Consulted {
  const refusal = (why: Finding) => ({ finding: why, lapse: null });
  if (finding.status !== "unavailable" || !("claims" in base)) return refusal(finding);
  const { degraded, clock } = ladder;
  const { realm } = base;
  if (!mayStand(base, narrower(degraded.mode, rules?.degraded)) || realm.view.full) return refusal(finding);
  base.lapsedAt ??= instant(clock);
  const failingMs = realm.authority?.failingMs() ?? waitedMs;
  const sinceMs = Math.max(failingMs, waitedMs, elapsedMs(clock, base.lapsedAt));
  if (sinceMs > degraded.maxMs) return refusal(finding);
  realm.lapses.count(finding.cause);
  return { finding: base, lapse: { cause: finding.cause, sinceMs } };
}

function mayStand(base: Known, mode: "deny" | "cached" | "local"): boolean {
  return mode !== "deny" && (base.isWhole || (mode === "local" && base.key !== null));
}

function realmOf(base: Known | Realm): Realm {
  return "claims" in base ? base.realm : base;
}
