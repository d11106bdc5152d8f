import { HoldfastError } from "../core/errors.ts";
import type { Context } from "./context.ts";
import { resignUsers } from "./users.ts";

const MARKER = "secret";

/**
 * Opens the keys, after making sure that the store belongs to one of our secrets (law 4: never a second truth). Under
 * a new first secret, everything that lasts is sealed again under it; sessions keep theirs until they expire.
 */
export async function openStore(ctx: Pick<Context, "store" | "secrets" | "keys" | "record">): Promise<void> {
  const { store, secrets, keys } = ctx;
  const [first] = secrets;
  const standing = await store.markers.claim(MARKER, first.fingerprint);
  if (!secrets.some(({ fingerprint }) => fingerprint === standing)) {
    throw new HoldfastError(
      "store_mismatch",
      `the store (${store.description}) belongs to another secret: bring that secret back; to replace it, put the new one before it, separated by a comma`,
    );
  }
  await keys.open();
  if (standing === first.fingerprint) return;
  await keys.reseal();
  await resignUsers(ctx);
  await store.markers.replace(MARKER, standing, first.fingerprint);
  ctx.record.report("secret_replaced", "keys and users are sealed under the new first secret");
}
