import type { IssuerContext } from "../context.ts";
import type { IssuerLifecycle } from "../lifecycle.ts";
import { changeUser, removeUser } from "./administration.ts";
import { importUsers } from "./import-users.ts";
import type { Users } from "./user-types.ts";
import { addUser, getUser, listUsers } from "./users.ts";

/** The methods of `issuer.users`. Each one opens the store first. */
export function usersOf(ctx: IssuerContext, afterReady: IssuerLifecycle["afterReady"]): Users {
  const changed = <S extends string, T>(status: S, replacement: T) =>
    status === "changed" ? replacement : (status as Exclude<S, "changed">);
  return {
    add: afterReady(async (user, options) => await addUser(ctx, user, options)),
    import: afterReady(async (users, options) => await importUsers(ctx, users, options)),
    get: afterReady(async (name) => await getUser(ctx, name)),
    list: afterReady(async (page) => await listUsers(ctx, page)),
    // A new password takes no administrator away, so this change is never refused.
    setPassword: afterReady(async (name, password, options) => {
      const { status } = await changeUser(ctx, name, { password }, options);
      return status === "unknown" ? status : "changed";
    }),
    setScopes: afterReady(
      async (name, scopes, options) => (await changeUser(ctx, name, { scopes }, options)).status,
    ),
    disable: afterReady(async (name, options) =>
      changed((await changeUser(ctx, name, { disabled: true }, options)).status, "disabled" as const),
    ),
    enable: afterReady(async (name, options) => {
      const { status } = await changeUser(ctx, name, { disabled: false }, options);
      return status === "unknown" ? status : "enabled";
    }),
    remove: afterReady(async (name, options) => await removeUser(ctx, name, options)),
  };
}
