import type { PlantedBug } from "./planted-bug.ts";

const redisRecords = {
  room: "stores",
  file: "stores/redis/session-scripts.ts",
  store: "redis-single",
  forced: ["older services"],
} as const;
const sqliteFile = {
  room: "stores",
  file: "stores/sqlite/schema.ts",
  store: "sqlite",
  forced: ["older services"],
} as const;

/** Bugs that show only beside a service of an older version. */
export const versionBugs: readonly PlantedBug[] = [
  {
    room: "revocations",
    forced: ["older services"],
    file: "guard/revocations/http-feed-schema.ts",
    name: "a log without pages is malformed",
    from: "const { position, entries, next = null } = value;",
    to: "const { position, entries, next } = value;",
  },
  {
    room: "revocations",
    forced: ["older services"],
    file: "core/subject-cutoff.ts",
    name: "a cut-off without a number holds for nobody",
    from: "if (iat <= before) return true;",
    to: "if (numbered !== null && iat <= before) return true;",
  },
  {
    ...redisRecords,
    name: "a session that an earlier version stored does not exist",
    from: "  if fixed then\n  local sealed",
    to: "  if fixed == '' then\n  local sealed",
  },
  {
    ...redisRecords,
    name: "a session of an earlier version expires after its next refresh",
    from: "math.max(1, s.idleExpiresAt - s.rotatedAt)",
    to: "1",
  },
  {
    ...redisRecords,
    forced: ["upgrades"],
    name: "a session of an earlier version loses its sealed successor",
    from: "local sealed = call('GET', KEYS[2]) or ''",
    to: "local sealed = ''",
  },
  {
    ...redisRecords,
    name: "a session that an earlier version begins is not listed",
    file: "stores/redis/subject-scripts.ts",
    from: "if not redis.call('ZSCORE', KEYS[3], listed[i]) then",
    to: "if redis.call('EXISTS', KEYS[3]) == 0 then",
  },
  {
    ...redisRecords,
    forced: ["older services", "people"],
    name: "a user of an earlier version counts as disabled",
    file: "stores/redis/users.ts",
    from: "{ loginKey: null, disabledAt: null, ...user }",
    to: "{ loginKey: null, disabledAt: 0, ...user }",
  },
  {
    ...redisRecords,
    forced: ["older services", "people"],
    name: "a user that an earlier version adds gets no login key",
    file: "issuer/users/login-name.ts",
    from: "if (isDone && now - Number(await store.markers.read(SINCE_MARKER)) >= UPGRADE_MS) return;",
    to: "if (isDone) return;",
  },
  {
    ...sqliteFile,
    name: "a session in a file of the second schema expires after its next refresh",
    from: "SET idleMs = max(1, idleExpiresAt - rotatedAt),",
    to: "SET idleMs = 1,",
  },
  {
    ...sqliteFile,
    forced: ["upgrades"],
    name: "a session in a file of the second schema loses its lost answer",
    from: "ALTER TABLE sessions RENAME COLUMN graceEndsAt TO lostAnswerEndsAt;",
    to: "ALTER TABLE sessions RENAME COLUMN graceEndsAt TO lostAnswerEndsAt; UPDATE sessions SET lostAnswerEndsAt = 0;",
  },
  {
    ...sqliteFile,
    forced: ["older services", "people"],
    name: "a user in a file of the first schema gets no login key",
    file: "issuer/users/login-name.ts",
    from: "      if (user.loginKey !== loginKey) await setLoginKey(base, user, loginKey);\n",
    to: "",
  },
  {
    room: "revocations",
    forced: ["older services", "cut off"],
    file: "guard/revocations/snapshot-format.ts",
    name: "a saved cut-off without a number holds for nobody",
    from: "before, number } as Revocation;",
    to: "before, number: number ?? 0 } as Revocation;",
  },
];
