import { elapsedMs, instant, type Instant } from "../core/clock.ts";
import { invalid, unavailable } from "../core/verdict.ts";
import { checkClaims } from "../jwt/claims.ts";
import { abandonable, afterWorking } from "../resilience/deadline.ts";
import type { AuthorityAnswer } from "./authority/authority.ts";
import type { Answer, Ladder, Question } from "./context.ts";
import { whyRefused, type Lapse } from "./decide.ts";
import { bridgedMs } from "./degraded.ts";
import { confirmed, isProven, vouched } from "./finding.ts";
import type { Base, Finding, Known } from "./finding.ts";
import type { Realm } from "./realm.ts";
import { describe, report } from "./report.ts";
import { inquire, type Ask, type Said } from "./shared/inquire.ts";
import type { SharedQuestion } from "./shared/share.ts";
import type { Call, Rules } from "./types.ts";

/** What to decide on, and whether that is without the authority. */
export type Consulted = Pick<Answer, "from"> &
  ({ readonly finding: Finding; readonly lapse: null } | { readonly finding: Known; readonly lapse: Lapse });

/** An authority that does not know an opaque token may yet hear of it. */
const REFUSED_MS = 10_000;
/** Instances that start later hear of a refused token for so long; then they ask. */
const SHARED_DENIAL_MS = 86_400_000;
/** A wall clock that was ahead and is set back by little steps must not bring a refused token back to life. */
const DENIAL_SLACK_MS = 3_600_000;

/**
 * Rungs 6 to 9 for a token that has an authority. Who may fall back waits with patience only; the question goes on, and
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
  if ("finding" in asked) return instead(ladder, asked, base, rules, 0);
  const mayDoWithout = "claims" in base && bridgedMs(ladder, base, rules, 0) !== null;
  const wait = mayDoWithout ? Promise.race([asked.answer, asked.patience()]) : asked.answer;
  const answer = (await abandonable(wait, rules?.signal)) ?? origin(unavailable("authority_unavailable"));
  return instead(ladder, answer, base, rules, elapsedMs(ladder.clock, asked.began));
}

/** A token that is asked about. */
interface Matter {
  readonly token: string;
  readonly digest: string;
  readonly base: Base;
  readonly began: Instant;
  /** Rung 6; `undefined` where nothing is shared. */
  readonly shared: SharedQuestion | undefined;
}

/** Joins the question under way, or asks: other instances, then the authority. At once where nobody is asked. */
function ask(ladder: Ladder, token: string, digest: string, base: Base): Question | Answer {
  const { questions, clock, timekeeper } = ladder;
  const joined = questions.get(digest);
  if (joined !== undefined) return joined;
  const { authority, share, source } = realmOf(base);
  const failed = (error?: unknown) => {
    if (error !== undefined) report(source, "authority_failed", describe(error));
    return origin(unavailable("authority_unavailable"));
  };
  if (authority === undefined) return failed();
  try {
    const began = instant(clock);
    // A signature that nobody checked may be any: no other's answer counts for it.
    const shared = share?.question(digest, isProven(base) ? base.signedDigest : undefined);
    const matter = { token, digest, base, began, shared };
    const isSuspect = "claims" in base && !base.isWhole && !isProven(base);
    const put = (): ReturnType<Ask> => (isSuspect ? authority.askOfSuspect(token) : authority.ask(token));
    const said = inquire(put, shared, timekeeper.steppedMs(began));
    if ("outcome" in said) return land(ladder, matter, said);
    let stop = () => {};
    let waiting: Promise<null> | undefined;
    const patience = async () =>
      await (waiting ??= new Promise<null>((resolve) => {
        const leftMs = Math.max(0, authority.patienceMs - elapsedMs(clock, began));
        stop = afterWorking(clock, leftMs, () => resolve(null));
      }));
    const wait = async () => {
      try {
        return land(ladder, matter, await said);
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

function origin(finding: Finding): Answer {
  return { finding, from: "origin" };
}

/** What an answer makes of what was known; remembered, whoever still waits for it. */
function land(ladder: Ladder, matter: Matter, { outcome, recalled }: Said): Answer {
  if (outcome.status === "unavailable") return origin(outcome);
  const { memory, realms } = ladder;
  const { token, digest, base } = matter;
  const realm = realmOf(base);
  const finding =
    outcome.status === "yes"
      ? reconcile(realm, base, outcome.claims)
      : invalid(isProven(base) ? whyRefused(base.ownExpiresAt, instant(ladder.clock)) : "inactive");
  if (finding.status === "unavailable") return origin(finding);
  if (recalled === null) {
    realm.lapses.answered();
    tell(ladder, matter, outcome, finding);
  }
  const answer: Answer = { finding, from: recalled === null ? "origin" : "shared" };
  if (finding.status === "valid") {
    const bytes = recalled?.bytes ?? (outcome.status === "yes" ? JSON.stringify(outcome.claims).length : 0);
    memory.keepValid(digest, finding, Math.max(token.length, bytes), recalled?.leftMs);
    return answer;
  }
  memory.forget(digest);
  if (isProven(base)) deny(ladder, base);
  else {
    const ttlMs = Math.min(REFUSED_MS, recalled?.leftMs ?? REFUSED_MS);
    memory.keepInvalid(digest, finding.reason, realms.keysVersion, ttlMs);
  }
  if ("claims" in base && base.lapsedAt !== null) {
    report(realm.source, "late_no", "a token that was let in is refused from now on");
  }
  return answer;
}

/** Other instances hear of a yes that lets in, and of a no: about a token that proved itself, for as long as that could live. */
function tell(ladder: Ladder, matter: Matter, answer: AuthorityAnswer, finding: Finding): void {
  const { shared, base, began } = matter;
  if (shared === undefined || (answer.status === "yes" && finding.status !== "valid")) return;
  const { clock, timekeeper, toleranceMs, memoryTtlMs } = ladder;
  const now = instant(clock);
  const endsAt =
    finding.status === "valid"
      ? Math.min(began.wall + memoryTtlMs, finding.expiresAt + toleranceMs)
      : isProven(base)
        ? Math.min(now.wall + SHARED_DENIAL_MS, base.ownExpiresAt + toleranceMs)
        : now.wall + REFUSED_MS;
  void shared.tell({ answer, askedAt: began.wall, endsAt }, timekeeper.steppedMs(now));
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
  if ("claims" in base && base.signedDigest !== undefined) return confirmed(said, base);
  const claims = said.iss === undefined ? Object.freeze({ ...said, iss: realm.policy.issuer }) : said;
  const refused = checkClaims({ claims, typ: undefined }, { ...realm.policy, requireTyp: false });
  return refused === null ? vouched(claims, realm) : invalid(refused);
}

/** What the authority refused is revoked until it ends by itself. Where there is no room for that, nothing is let in without it. */
function deny(
  { clock, timekeeper, toleranceMs }: Ladder,
  { realm, signedDigest, ownExpiresAt }: Known & { readonly signedDigest: string },
): void {
  const { issuer } = realm.source;
  const until = ownExpiresAt + toleranceMs + DENIAL_SLACK_MS;
  const nowMs = timekeeper.slower(instant(clock));
  const isKept = realm.view.add({ kind: "token", id: signedDigest, issuer, until }, nowMs);
  if (!isKept) realm.lapses.bar(until);
}

/** What the policy allows when there is no answer. */
function instead(
  ladder: Ladder,
  answer: Answer,
  base: Base,
  rules: Rules | undefined,
  waitedMs: number,
): Consulted {
  const { finding, from } = answer;
  if (finding.status !== "unavailable" || !("claims" in base)) return { finding, from, lapse: null };
  const sinceMs = bridgedMs(ladder, base, rules, waitedMs);
  if (sinceMs === null) return { finding, from, lapse: null };
  return { finding: base, from, lapse: { cause: finding.cause, sinceMs } };
}

function realmOf(base: Base): Realm {
  return "claims" in base ? base.realm : base;
}
