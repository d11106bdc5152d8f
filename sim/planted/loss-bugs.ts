import type { PlantedBug } from "./planted-bug.ts";

const rotation = { room: "rotation", file: "stores/refresh-rotation.ts", store: "sqlite" } as const;

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
  },
];
