import type { PlantedBug } from "./planted-bug.ts";
import { connectionBugs } from "./connection-bugs.ts";
import { gatewayBugs } from "./gateway-bugs.ts";
import { healthBugs } from "./health-bugs.ts";
import { lossBugs } from "./loss-bugs.ts";
import { userBugs } from "./user-bugs.ts";
import { versionBugs } from "./version-bugs.ts";
import { redisBugs } from "./redis-bugs.ts";

const rotation = { room: "rotation", file: "stores/refresh-rotation.ts" } as const;
const refresh = { room: "rotation", file: "issuer/sessions/refresh.ts" } as const;
const sqliteSessions = { room: "stores", file: "stores/sqlite/sessions.ts" } as const;
const issuerSessions = { room: "issuer", file: "issuer/sessions/sessions.ts" } as const;
const signingKeys = { room: "keys", file: "issuer/keys/signing-keys.ts" } as const;
const keyring = { room: "keys", file: "guard/keys/jwks-keyring.ts" } as const;
const follower = { room: "revocations", file: "guard/revocations/follower.ts" } as const;
const view = { room: "revocations", file: "guard/revocations/view.ts" } as const;
const snapshot = { room: "revocations", file: "guard/revocations/snapshot.ts" } as const;
const decide = { room: "pipeline", file: "guard/pipeline/decide.ts" } as const;
const clockMonitor = { room: "pipeline", file: "guard/pipeline/clock-monitor.ts" } as const;
const claims = { room: "pipeline", file: "jwt/claims.ts" } as const;
const breaker = { room: "resilience", file: "resilience/breaker.ts" } as const;

export const plantedBugs: readonly PlantedBug[] = [
  {
    ...rotation,
    name: "a lost answer is never forgiven",
    from: "lostAnswerEndsAt: nowMs + rotation.lostAnswerMs,",
    to: "lostAnswerEndsAt: nowMs,",
  },
  {
    ...rotation,
    name: "a repeat counts as reuse",
    from: "    if (record.arrivedAt === null) return repeatSuccessor(record, nowMs);\n",
    to: "",
  },
  {
    ...rotation,
    name: "a spent token is a conflict for ever",
    from: "if (nowMs < record.arrivedAt + conflictMs) return",
    to: "if (nowMs < Infinity) return",
  },
  {
    ...rotation,
    name: "reuse does not end the session",
    from: `return { outcome: "reuse", session: endSession(record, "reuse", nowMs) };`,
    to: `return { outcome: "reuse", session: record };`,
  },
  {
    ...rotation,
    name: "an acknowledgement is not recorded",
    from: "return { ...record, arrivedAt: nowMs, sealedSuccessor: null };",
    to: "return record;",
  },
  {
    ...rotation,
    name: "the arrival of a token counts for its successor",
    from: "    arrivedAt: null,\n    // The presentation itself",
    to: "    arrivedAt: record.arrivedAt,\n    // The presentation itself",
  },
  {
    ...rotation,
    name: "a refresh does not extend the session",
    from: "idleExpiresAt: Math.min(nowMs + record.idleMs, record.absoluteExpiresAt),\n    repeatStreak: record",
    to: "idleExpiresAt: record.idleExpiresAt,\n    repeatStreak: record",
  },
  {
    ...rotation,
    name: "a session that has ended is refreshed",
    from: `if (!isRefreshable(record, rotation, nowMs)) return { outcome: "ended", session: record };`,
    to: "",
  },
  {
    ...rotation,
    name: "the end of a session keeps its token",
    from: `    currentDigest: "",\n    previousDigest: null,\n    sealedSuccessor: null,\n    endedAt: nowMs,`,
    to: "    endedAt: null,",
  },
  {
    ...refresh,
    name: "a repeat gets another successor",
    from: "const successor = openSuccessor(ctx.secrets, presented, rotation.sealedSuccessor);",
    to: "const successor: RefreshToken | null = candidate;",
  },
  {
    ...refresh,
    name: "a token of another generation is presented",
    from: "generation: presented.generation,\n    presentedDigest",
    to: "generation: presented.generation - 1,\n    presentedDigest",
  },
  {
    room: "issuer",
    file: "issuer/endpoints/app.ts",
    name: "an unavailable store is a wrong token",
    from: "if (isHoldfastError(error)) return temporarilyUnavailable(error.retryAfterMs);",
    to: `if (isHoldfastError(error)) return oauthError(400, "invalid_grant", "The token is not valid.");`,
  },
  {
    ...sqliteSessions,
    name: "a logout is not in the revocation log",
    from: "        append(revocation, nowMs);\n        const record = rows.find(id);",
    to: "        const record = rows.find(id);",
  },
  {
    ...sqliteSessions,
    name: "reuse is not in the revocation log",
    from: `        if (decided.outcome === "reuse") append(rotation.onReuse, nowMs);\n`,
    to: "",
  },
  {
    ...sqliteSessions,
    name: "a rotation is not stored",
    from: "if (decided.session !== record) rows.save(decided.session);",
    to: "",
  },
  {
    ...sqliteSessions,
    name: "the end of a user leaves the sessions",
    from: "    rows.endAll(subject, reason, nowMs);\n",
    to: "",
  },
  {
    ...sqliteSessions,
    name: "a logout does not end the session",
    from: "if (record?.endedAt === null) rows.save(endSession(record, reason, nowMs));",
    to: "",
  },
  {
    ...issuerSessions,
    name: "a logout that failed is confirmed",
    from: "await ctx.store.sessions.end(id, reason, await sessionRevocation(ctx, id));",
    to: "await ctx.store.sessions.end(id, reason, await sessionRevocation(ctx, id)).catch(() => undefined);",
  },
  {
    ...issuerSessions,
    name: "a revocation names another issuer",
    from: `return { kind: "session", id, issuer: ctx.config.url, until };`,
    to: `return { kind: "session", id, issuer: ctx.config.name, until };`,
  },
  {
    ...issuerSessions,
    name: "a revocation ends before the tokens",
    from: `const until = await ctx.acceptance.endsAt(ctx.storeTime.latest());\n  return { kind: "session"`,
    to: `const until = await Promise.resolve(ctx.storeTime.latest());\n  return { kind: "session"`,
  },
  {
    ...signingKeys,
    name: "retired keys are removed at once",
    from: "const isOver = now > (await acceptance.endsAt(record.retiredAt + MAX_KEYS_AGE_MS));",
    to: "const isOver = acceptance !== undefined;",
  },
  {
    ...keyring,
    name: "an unknown key id is invalid at once",
    from: `    if (!this.#isProvenAbsent(firstSeen)) return unavailableVerdict("key_pending", retryAfterMs);\n    return invalidVerdict(tried`,
    to: `    if (firstSeen === undefined) return unavailableVerdict("key_pending", retryAfterMs);\n    return invalidVerdict(tried`,
  },
  {
    ...keyring,
    name: "a guard without keys calls tokens invalid",
    from: `if (!age.isUsable()) return unavailableVerdict("keys_unavailable", retryAfterMs);`,
    to: `if (!age.isUsable()) return invalidVerdict("unknown_key");`,
  },
  {
    ...keyring,
    name: "an unknown key id fetches nothing",
    from: "    await this.#schedule.attempt(true);\n",
    to: "",
  },
  {
    ...follower,
    name: "a failed read makes the view fresh",
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
    from: `return await withDeadline(clock, "reading revocations", timeoutMs, read, signal);`,
    to: "return await (timeoutMs > 0 && clock !== undefined && signal !== undefined ? read() : read());",
  },
  {
    ...follower,
    name: "a follower stops after a failure",
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
    from: "follower?.resume(head.ageMs + Math.max(0, sinceMs));",
    to: "follower?.resume(0);",
  },
  {
    ...decide,
    name: "the age of the view is not looked at",
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
    from: `reasonBeforeStep === "expired" &&`,
    to: "false &&",
  },
  {
    ...clockMonitor,
    name: "a clock that is ahead is believed at once",
    from: "const ACCEPTED_AFTER_MS = 60_000;",
    to: "const ACCEPTED_AFTER_MS = 0;",
  },
  {
    ...clockMonitor,
    name: "a clock that was set back is believed",
    from: "if (step < 0 || monotonic - (this.#step?.noticedAt ?? 0) < ACCEPTED_AFTER_MS) return step;",
    to: "if (monotonic - (this.#step?.noticedAt ?? 0) < ACCEPTED_AFTER_MS) return step;",
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
    from: "this.#transitionTo(succeeded ? this.#closedState() : this.#openState());",
    to: "this.#transitionTo(this.#openState());",
  },
  {
    ...breaker,
    name: "the breaker loses its probe",
    from: `    this.#transitionTo({ kind: "half-open", probe: permit });\n    return permit;`,
    to: `    this.#transitionTo({ kind: "half-open", probe: permit });\n    return null;`,
  },
  {
    ...breaker,
    name: "the breaker stays open for a day",
    from: "backoffMs(++this.#openingsInRow, { ...OPEN_TIME, random })",
    to: "86_400_000 + backoffMs(++this.#openingsInRow, { ...OPEN_TIME, random })",
  },
  ...userBugs,
  ...connectionBugs,
  ...gatewayBugs,
  ...healthBugs,
  ...versionBugs,
  ...redisBugs,
  ...lossBugs,
];
