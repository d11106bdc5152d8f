import type { PlantedBug } from "./planted-bug.ts";
import { connectionBugs } from "./connection-bugs.ts";
import { gatewayBugs } from "./gateway-bugs.ts";
import { guardBugs } from "./guard-bugs.ts";
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
    forced: ["store refuses"],
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
  ...guardBugs,
  ...userBugs,
  ...connectionBugs,
  ...gatewayBugs,
  ...healthBugs,
  ...versionBugs,
  ...redisBugs,
  ...lossBugs,
];
