import type { PlantedBug } from "./planted-bug.ts";

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
];
