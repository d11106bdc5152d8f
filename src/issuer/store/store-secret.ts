import { HoldfastError } from "../../core/errors.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { isAuthenticUser, addUserMac } from "./record-macs.ts";
import type { SigningKeys } from "../keys/signing-keys.ts";

const MARKER = "secret";

/**
 * Opens the keys, after making sure that the store belongs to one of our secrets (law 4: never a second truth). With
 * several, everything that lasts is sealed again under the first; sessions keep theirs until they expire.
 */
export async function openStore(base: IssuerBase, keys: SigningKeys): Promise<void> {
  const { store, secrets } = base;
  const [first] = secrets;
  const claimed = await store.markers.claim(MARKER, first.fingerprint);
  if (!secrets.some(({ fingerprint }) => fingerprint === claimed)) {
    const message = `the store (${store.description}) belongs to another secret: bring that secret back; to replace it, put the new one before it, separated by a comma`;
    base.emit("store_failed", message);
    throw new HoldfastError("store_mismatch", message);
  }
  await keys.open();
  if (secrets.length === 1) return;
  // At every start: another process, not yet restarted, may have gone on under the old one.
  await keys.reseal();
  await renewUserMacs(base);
  if (claimed === first.fingerprint) return;
  await store.markers.replace(MARKER, claimed, first.fingerprint);
  base.emit("secret_replaced", "keys and users are sealed under the new first secret");
}

async function renewUserMacs({ store, secrets }: IssuerBase): Promise<void> {
  for (let after: string | undefined; ;) {
    const users = await store.users.list({ after, limit: 100 });
    for (const user of users) {
      const signed = addUserMac(secrets, user);
      if (signed.mac !== user.mac && isAuthenticUser(secrets, user))
        await store.users.replace(signed, user.mac);
    }
    after = users.at(-1)?.username;
    if (after === undefined) return;
  }
}
