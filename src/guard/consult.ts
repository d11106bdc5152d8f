import { elapsedMs, instant, type Instant } from "../core/clock.ts";
import { checkClaims } from "../jwt/claims.ts";
import { abandonable, afterWorking } from "../resilience/deadline.ts";
import type { AuthorityOutcome } from "./authority/authority.ts";
import type { Lapse } from "./decide.ts";
import { bridgedMs } from "./degraded.ts";
import { confirmed, invalid, unavailable, vouched, type Finding, type Known } from "./finding.ts";
import type { Ladder } from "./ladder.ts";
import type { Realm } from "./realm.ts";
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
export type Consulted =
  | { readonly finding: Finding; readonly lapse: null }
  | { readonly finding: Known; readonly lapse: Lapse };

/** What is known of a token without an answer: its proof or an earlier answer, or only whose it is. */
type Base = Known | Realm;

/** An authority that does not know an opaque token may yet hear of it. */
const REFUSED_MS = 10_000;
/** A wall clock that was ahead and is set back by little steps must not bring a refused token back to life. */
const DENIAL_SLACK_MS = 3_600_000;

/**
 * Rungs 7 to 9 for a token that has an authority. Who may fall back waits with patience only; the question goes on, and
 * its late answer lands.
 */
export async function consult(
  ladder: Ladder,
  token: string,
  digest: string,
  base: Base,
  rules: (Rules & Call) | undefined,
): Promise<Consulted> {
  const asked = ask(ladder, token, digest, base);
  if (!("began" in asked)) return instead(ladder, asked, base, rules, 0);
  const mayDoWithout = "claims" in base && bridgedMs(ladder, base, rules, 0) !== null;
  const wait = mayDoWithout ? Promise.race([asked.answer, asked.patience]) : asked.answer;
  const finding = (await abandonable(wait, rules?.signal)) ?? unavailable("authority_unavailable");
  return instead(ladder, finding, base, rules, elapsedMs(ladder.clock, asked.began));
}

/** Joins the question under way, or asks; at once where nobody is asked. */
function ask(ladder: Ladder, token: string, digest: string, base: Base): Question | Finding {
  const { questions, clock } = ladder;
  const joined = questions.get(digest);
  if (joined !== undefined) return joined;
  const { authority, source } = realmOf(base);
  if (authority === undefined) return unavailable("authority_unavailable");
  const failed = (error: unknown) => {
    report(source, "authority_failed", describe(error));
    return unavailable("authority_unavailable");
  };
  try {
    const began = instant(clock);
    const outcome = authority.ask(token);
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
  } catch (error) {
    return failed(error);
  }
}

/** What an answer makes of what was known; remembered, whoever still waits for it. */
function land(ladder: Ladder, token: string, digest: string, base: Base, outcome: AuthorityOutcome): Finding {
  if (outcome.status === "unavailable") return outcome;
  const { memory, realms } = ladder;
  const realm = realmOf(base);
  const isProven = "claims" in base && base.key !== null;
  const finding =
    outcome.status === "yes"
      ? reconcile(realm, base, outcome.claims)
      : invalid(isProven ? "revoked" : "inactive");
  if (finding.status === "unavailable") return finding;
  realm.lapses.answered();
  if (finding.status === "valid") {
    const answerLength = outcome.status === "yes" ? JSON.stringify(outcome.claims).length : 0;
    memory.keepValid(digest, finding, Math.max(token.length, answerLength));
    return finding;
  }
  memory.forget(digest);
  if (isProven) deny(ladder, base);
  else memory.keepInvalid(digest, finding.reason, realms.keysVersion, REFUSED_MS);
  if ("claims" in base && base.lapsedAt !== null) {
    report(realm.source, "late_no", "a token that was let in is refused from now on");
  }
  return finding;
}

/** An answer about somebody else, or for somebody else, is none about this token. */
function reconcile(realm: Realm, base: Base, said: Known["claims"]): Finding {
  const contradicts = "claims" in base && said.sub !== undefined && said.sub !== base.claims.sub;
  const foreign = said.iss !== undefined && said.iss !== realm.policy.issuer;
  if (contradicts || foreign) {
    report(realm.source, "authority_failed", "the authority answered about another subject or issuer");
    return unavailable("authority_unavailable");
  }
  if (said["cnf"] !== undefined) return invalid("sender_constrained");
  if ("claims" in base && base.key !== null) return confirmed(said, base);
  const claims = said.iss === undefined ? Object.freeze({ ...said, iss: realm.policy.issuer }) : said;
  const refused = checkClaims({ claims, typ: undefined }, { ...realm.policy, requireTyp: false });
  return refused === null ? vouched(claims, realm) : invalid(refused);
}

/** What the authority refused is revoked until it ends by itself. Where there is no room for that, nothing is let in without it. */
function deny(
  { clock, timekeeper, toleranceMs }: Ladder,
  { realm, signedDigest, ownExpiresAt }: Known,
): void {
  const { issuer } = realm.source;
  const until = ownExpiresAt + toleranceMs + DENIAL_SLACK_MS;
  const nowMs = timekeeper.slower(instant(clock));
  const isKept =
    signedDigest !== undefined && realm.view.add({ kind: "token", id: signedDigest, issuer, until }, nowMs);
  if (!isKept) realm.lapses.bar(until);
}

/** What the policy allows when there is no answer. */
function instead(
  ladder: Ladder,
  finding: Finding,
  base: Base,
  rules: Rules | undefined,
  waitedMs: number,
): Consulted {
  if (finding.status !== "unavailable" || !("claims" in base)) return { finding, lapse: null };
  const sinceMs = bridgedMs(ladder, base, rules, waitedMs);
  if (sinceMs === null) return { finding, lapse: null };
  return { finding: base, lapse: { cause: finding.cause, sinceMs } };
}

function realmOf(base: Base): Realm {
  return "claims" in base ? base.realm : base;
}
