import type { PlantedBug } from "./planted-bug.ts";

const keyring = { room: "keys", file: "guard/keys/jwks-keyring.ts" } as const;
const follower = { room: "revocations", file: "guard/revocations/follower.ts" } as const;
const view = { room: "revocations", file: "guard/revocations/view.ts" } as const;
const snapshot = { room: "revocations", file: "guard/revocations/snapshot.ts" } as const;
const decide = { room: "pipeline", file: "guard/pipeline/decide.ts" } as const;
const clockMonitor = { room: "pipeline", file: "guard/pipeline/clock-monitor.ts" } as const;
const claims = { room: "pipeline", file: "jwt/claims.ts" } as const;
const breaker = { room: "resilience", file: "resilience/breaker.ts" } as const;

/** Bugs of the guard: keys, revocations, decisions, and the breaker of its authority. */
export const guardBugs: readonly PlantedBug[] = [
  {
    ...keyring,
    name: "an unknown key id is invalid at once",
    from: `    if (!this.#isProvenAbsent(firstSeen)) return unavailableVerdict("key_pending", retryAfterMs);\n    return invalidVerdict(tried`,
    to: `    if (firstSeen === undefined) return unavailableVerdict("key_pending", retryAfterMs);\n    return invalidVerdict(tried`,
  },
  {
    ...keyring,
    name: "a guard without keys calls tokens invalid",
    forced: ["cut off"],
    from: `if (!age.isUsable()) return unavailableVerdict("keys_unavailable", retryAfterMs);`,
    to: `if (!age.isUsable()) return invalidVerdict("unknown_key");`,
  },
  {
    ...keyring,
    name: "an unknown key id fetches nothing",
    forced: ["key rotations"],
    from: "    await this.#schedule.attempt(true);\n",
    to: "",
  },
  {
    ...follower,
    name: "a failed read makes the view fresh",
    forced: ["cut off"],
    from: "      this.#failures++;\n      this.#synced = false;",
    to: "      this.#failures++;\n      this.#completeAt = startedAt;\n      this.#synced = false;",
  },
  {
    ...follower,
    name: "a poll reads nothing",
    from: "      if (view.position !== null) await this.#readTail();\n",
    to: "",
  },
  {
    ...follower,
    name: "a read of the log has no deadline",
    forced: ["store hangs"],
    from: `return await withDeadline(clock, "reading revocations", timeoutMs, read, signal);`,
    to: "return await (timeoutMs > 0 && clock !== undefined && signal !== undefined ? read() : read());",
  },
  {
    ...follower,
    name: "a follower stops after a failure",
    forced: ["cut off"],
    from: "if (this.#failures === 0) return pollMs;",
    to: "if (this.#failures === 0) return pollMs;\n    if (this.#failures > 2) return 86_400_000;",
  },
  {
    ...view,
    name: "a saved view restores nothing",
    from: "for (const revocation of revocations) isComplete = this.#apply(revocation) && isComplete;",
    to: "for (const _ of revocations) isComplete = isComplete && true;",
  },
  {
    ...view,
    name: "sessions are not looked up",
    from: "if (session.size > 0 && sessionId !== undefined && session.has(sessionId)) return true;",
    to: "",
  },
  {
    ...view,
    name: "users are not looked up",
    from: "return cutoff !== undefined && isCutOffToken(cutoff, claims);",
    to: "return cutoff !== undefined && !isCutOffToken(cutoff, claims) && false;",
  },
  {
    ...snapshot,
    name: "a saved view is as good as new",
    forced: ["cut off"],
    from: "follower?.resume(head.ageMs + Math.max(0, sinceMs));",
    to: "follower?.resume(0);",
  },
  {
    ...decide,
    name: "the age of the view is not looked at",
    forced: ["cut off"],
    from: "if (isViewTooOld(context, revocationAgeMs, rules?.maxRevocationAgeMs)) {",
    to: "if (isViewTooOld(context, revocationAgeMs, rules?.maxRevocationAgeMs) && false) {",
  },
  {
    ...decide,
    name: "a token that was not revoked once never is",
    from: "if (token.revocationsVersion === revocationView.changeCount) return false;",
    to: "if ((token.revocationsVersion ?? -1) >= 0) return false;",
  },
  {
    ...decide,
    name: "a remembered token does not expire",
    from: "const reason = checkTime(token.claims, now.wall, context.toleranceMs);",
    to: "const reason = checkTime({ ...token.claims, exp: undefined } as never, now.wall, context.toleranceMs);",
  },
  {
    ...decide,
    name: "an expired token is revived by a clock that was set back",
    forced: ["clock steps"],
    from: "if (reason === null && !isRevived) return null;",
    to: "if (reason === null && (!isRevived || isRevived)) return null;",
  },
  {
    ...clockMonitor,
    name: "a clock that is ahead is believed at once",
    forced: ["clock steps"],
    from: "const ACCEPTED_AFTER_MS = 60_000;",
    to: "const ACCEPTED_AFTER_MS = 0;",
  },
  {
    ...clockMonitor,
    name: "a clock that was set back is believed",
    forced: ["clocks set back"],
    from: "if (step < 0 || monotonic - (this.#step?.noticedAt ?? 0) < ACCEPTED_AFTER_MS) return step;",
    to: "if (monotonic - (this.#step?.noticedAt ?? 0) < ACCEPTED_AFTER_MS) return step;",
  },
  {
    ...clockMonitor,
    name: "a token of the repeated time counts as a new one",
    forced: ["clocks set back"],
    from: "return iat * 1000 > step.repeatedUntilMs + this.#toleranceMs;",
    to: "return iat * 1000 > step.latestBeforeMs + step.ms - this.#toleranceMs;",
  },
  {
    ...claims,
    name: "a token lives ten minutes longer",
    from: `nowMs >= exp * 1000 + toleranceMs) return "expired";`,
    to: `nowMs >= exp * 1000 + toleranceMs + 600_000) return "expired";`,
  },
  {
    room: "pipeline",
    file: "jwt/verify.ts",
    name: "a signature is not verified",
    from: `  return verifySignature(token, key) ? checkClaims(token, policy) : "bad_signature";`,
    to: `  return verifySignature(token, key) ? checkClaims(token, policy) : null;`,
  },
  {
    ...breaker,
    name: "the breaker never closes",
    forced: ["authority"],
    from: "this.#transitionTo(succeeded ? this.#closedState() : this.#openState());",
    to: "this.#transitionTo(this.#openState());",
  },
  {
    ...breaker,
    name: "the breaker loses its probe",
    forced: ["authority"],
    from: `    this.#transitionTo({ kind: "half-open", probe: permit });\n    return permit;`,
    to: `    this.#transitionTo({ kind: "half-open", probe: permit });\n    return null;`,
  },
  {
    ...breaker,
    name: "the breaker stays open for a day",
    forced: ["authority"],
    from: "backoffMs(++this.#openingsInRow, { ...OPEN_TIME, random })",
    to: "86_400_000 + backoffMs(++this.#openingsInRow, { ...OPEN_TIME, random })",
  },
];
