import { HoldfastError } from "../../core/errors.ts";
import type { IssuerBase } from "../issuer-base.ts";
import type { SigningKeys } from "../keys/signing-keys.ts";
import { indexLoginNames } from "../users/login-name.ts";
import { addUserMac, isAuthenticUser } from "./record-macs.ts";
import { SECRET_MARKER } from "./secret-marker.ts";
import { announceSecret } from "./secrets-in-use.ts";

/**
 * Opens the signing keys, after checking that the store belongs to a secret of the list (law 4). With several secrets,
 * keys and users are sealed again under the first one. Sessions keep their secret until they expire.
 */
export async function openStore(base: IssuerBase, keys: SigningKeys): Promise<void> {
  const { store, secrets } = base;
  const [first] = secrets;
  const claimed = await store.markers.claim(SECRET_MARKER, first.fingerprint);
  if (!secrets.some(({ fingerprint }) => fingerprint === claimed)) {
    const message = `the store (${store.description}) belongs to another secret: use that secret; to replace it, put the new one before it, separated by a comma`;
    base.emit("store_failed", message);
    throw new HoldfastError("store_mismatch", message);
  }
  await announceSecret(base, claimed);
  await base.acceptance.announce();
  await keys.open();
  await indexLoginNames(base);
  if (secrets.length === 1) return;
  // On every start, because a process that was not restarted yet may have written records under the old secret.
  await keys.reseal();
  await renewUserMacs(base);
  if (claimed === first.fingerprint) return;
  await store.markers.replace(SECRET_MARKER, claimed, first.fingerprint);
  base.emit("secret_replaced", "keys and users are sealed under the new first secret");
}

async function renewUserMacs({ store, secrets }: IssuerBase): Promise<void> {
  for (let after: string | undefined; ;) {
    const users = await store.users.list({ after, limit: 100 });
    for (const user of users) {
      const renewed = addUserMac(secrets, user);
      if (renewed.mac !== user.mac && isAuthenticUser(secrets, user)) {
        await store.users.replace(renewed, user.mac);
      }
    }
    after = users.at(-1)?.username;
    if (after === undefined) return;
  }
}
