import type { PlantedBug } from "./planted-bug.ts";

const users = { room: "issuer", file: "issuer/users/users.ts" } as const;

/** Bugs of the users of the store. */
export const userBugs: readonly PlantedBug[] = [
  {
    ...users,
    name: "the loser of two password changes gets a session",
    forced: ["people"],
    from: "return stored?.mac === changed.mac ? { ...changed, ...lifetimesOf(session) } : null;",
    to: "return stored === null ? null : { ...changed, ...lifetimesOf(session) };",
  },
  {
    ...users,
    name: "a new password leaves the sessions",
    from: `  await endSubject(ctx, subject, "password_changed", { source });\n`,
    to: "",
  },
  {
    ...users,
    name: "two changes of one password are confirmed",
    forced: ["people"],
    from: `if ((await ctx.store.users.replace(changed, user.mac)) === "replaced") return changed;`,
    to: "if ((await ctx.store.users.replace(changed, user.mac)) !== undefined) return changed;",
  },
  {
    room: "issuer",
    file: "issuer/users/administration.ts",
    name: "a change by an administrator leaves the sessions",
    from: "  await endSubject(ctx, subject, pending.reason, options);\n",
    to: "",
  },
  {
    room: "issuer",
    file: "issuer/users/credentials.ts",
    name: "a disabled user logs in",
    from: "return matches && authentic?.disabledAt === null ? authentic : null;",
    to: "return matches ? authentic : null;",
  },
  {
    room: "issuer",
    file: "issuer/users/credentials.ts",
    name: "any password is right",
    from: "return matches && authentic?.disabledAt === null ? authentic : null;",
    to: "return matches !== null && authentic?.disabledAt === null ? authentic : null;",
  },
  {
    room: "stores",
    file: "stores/sqlite/sessions.ts",
    name: "a login outlives the new password of its user",
    forced: ["people"],
    from: "const cutoff = rows.cutoff(session.subject);",
    to: "const cutoff = rows.cutoff(`not ${session.subject}`);",
  },
  {
    room: "stores",
    file: "stores/sqlite/revocations.ts",
    store: "sqlite",
    forced: ["people"],
    name: "the log of a file keeps no number of a cut-off",
    from: "const number = isSubject ? (revocation.number ?? null) : null;",
    to: "const number = isSubject && revocation.number === 0 ? revocation.number : null;",
  },
];
