import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { isAuthenticUser } from "../store/record-macs.ts";

/** The scope that administers the issuer and the service. */
export const ADMIN_SCOPE = "holdfast:admin";

export function isAdministrator({ scopes, disabledAt }: UserRecord): boolean {
  return disabledAt === null && scopes.includes(ADMIN_SCOPE);
}

/** Whether an enabled administrator other than the user `except` exists. Reads all users in the worst case. */
export async function hasAdministrator({ store, secrets }: IssuerBase, except?: string): Promise<boolean> {
  for (let after: string | undefined; ;) {
    const users = await store.users.list({ after, limit: 500 });
    const found = users.some(
      (user) => user.username !== except && isAdministrator(user) && isAuthenticUser(secrets, user),
    );
    if (found) return true;
    after = users.at(-1)?.username;
    if (after === undefined) return false;
  }
}
