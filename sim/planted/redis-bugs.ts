import type { PlantedBug } from "./planted-bug.ts";

const redisSessions = {
  room: "stores",
  file: "stores/redis/session-scripts.ts",
  store: "redis-single",
} as const;

/** Bugs of the scripts that Redis runs. */
export const redisBugs: readonly PlantedBug[] = [
  {
    ...redisSessions,
    file: "stores/redis/rotation-script.ts",
    name: "a lost answer is never forgiven on Redis",
    from: "lostAnswerMs, format('${luaFormat(\"lostAnswerEndsAt\")}', now + lostAnswerMs)",
    to: "lostAnswerMs, format('${luaFormat(\"lostAnswerEndsAt\")}', now)",
  },
  {
    ...redisSessions,
    name: "the end of a session is not written to Redis",
    from: "save(v, idle - now)\nreturn {live and 'live' or 'over', now, v}",
    to: "return {live and 'live' or 'over', now, v}",
  },
  {
    room: "stores",
    file: "stores/redis/cluster-router.ts",
    store: "redis-cluster",
    forced: ["calm", "resharding"],
    name: "the server that has given a key away confirms its writes",
    from: "return { reply: answer.reply, connection: answer.connection };",
    to: "return { reply: answer.reply, connection };",
  },
];
