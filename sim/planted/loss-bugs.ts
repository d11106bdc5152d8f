import type { PlantedBug } from "./planted-bug.ts";

const rotation = {
  room: "rotation",
  file: "stores/refresh-rotation.ts",
  store: "sqlite",
  forced: ["losses"],
} as const;

/** Bugs that show only when a database has lost acknowledged writes. */
export const lossBugs: readonly PlantedBug[] = [
  {
    ...rotation,
    name: "a token ahead of the store is refused",
    from: `return { outcome: "resumed", session };`,
    to: `return { outcome: session === record ? "resumed" : "late", session: record };`,
  },
  {
    room: "rotation",
    file: "issuer/sessions/presented-token.ts",
    name: "a token of a lost session is wrong",
    from: "if (times === null || times.expiresAt <= ctx.clock.now()) return;",
    to: "if (times === null || times.expiresAt > 0) return;",
    store: "sqlite",
    forced: ["losses"],
  },
  {
    room: "stores",
    file: "stores/redis/snapshot-pages.ts",
    name: "a log whose entries were deleted is complete",
    store: "redis-single",
    forced: ["calm", "evictions"],
    from: "  if (last === undefined || entries.length < PAGE) {\n    throw",
    to: '  if (last === undefined || entries.length < PAGE) {\n    if (description !== "") return { position, entries: entries.map(parse), next: null };\n    throw',
  },
  {
    room: "issuer",
    file: "issuer/sessions/rollback-alarm.ts",
    name: "a store that went back is not announced",
    store: "redis-sentinel",
    forced: ["losses"],
    from: '    emit("store_rolled_back", `the store',
    to: '    void [emit, store, what];\n    if (what === "") emit("store_rolled_back", `the store',
  },
  {
    room: "stores",
    file: "stores/redis/lost-writes.ts",
    name: "restored writes are not announced",
    store: "redis-sentinel",
    forced: ["losses"],
    from: "if (counts.length === 0 || !storeEvents.hasSubscribers) return;",
    to: "if (counts.length >= 0 || !storeEvents.hasSubscribers) return;",
  },
  {
    room: "stores",
    file: "stores/redis/durability-monitor.ts",
    name: "the end of a risk for the writes is not announced",
    store: "redis-single",
    forced: ["calm", "evictions"],
    from: "if (this.#isClosed || problem === known || !storeEvents.hasSubscribers) return true;",
    to: "if (this.#isClosed || problem === known || problem === null || !storeEvents.hasSubscribers) return true;",
  },
];
