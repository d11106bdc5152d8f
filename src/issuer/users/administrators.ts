import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { isAuthenticUser } from "../store/record-macs.ts";
import { rejectIfSecretReplaced } from "../store/secret-marker.ts";

/** The scope that administers the issuer and the service. */
export const ADMIN_SCOPE = "holdfast:admin";

export function isAdministrator({ scopes, disabledAt }: UserRecord): boolean {
  return disabledAt === null && scopes.includes(ADMIN_SCOPE);
}

/** Whether an enabled administrator other than the user `except` exists. Reads all users in the worst case. Rejects with `store_mismatch`
 * when there is none and another process has replaced the secret. */
export async function hasAdministrator(base: IssuerBase, except?: string): Promise<boolean> {
  const { store, secrets } = base;
  for (let after: string | undefined; ;) {
    const users = await store.users.list({ after, limit: 500 });
    const found = users.some(
      (user) => user.username !== except && isAdministrator(user) && isAuthenticUser(secrets, user),
    );
    if (found) return true;
    after = users.at(-1)?.username;
    if (after === undefined) break;
  }
  // Administrators whose records this process cannot verify are not missing.
  await rejectIfSecretReplaced(base);
  return false;
}
