import { HoldfastError } from "../../core/errors.ts";
import { openStore } from "../store/open-store.ts";
import type { ServiceIdentity, Service } from "../service.ts";
import { loadSettings } from "../secret-files.ts";

/**
 * Composes the service on the data of this machine for a command, and closes it afterwards. A service may run at the same
 * time. The identity is the one of the last start. The command never uses the snapshots of a running service: it reads
 * the revocations from the store.
 */
export async function withService<T>(use: (service: Service) => Promise<T>): Promise<T> {
  const settings = await loadSettings();
  const local = await openStore(settings, { create: false });
  const identity = await local.store.markers.read("identity");
  if (identity === null) {
    await local.store.close();
    const message = `${local.store.description} has never been served: start the service once`;
    throw new HoldfastError("store_unavailable", message);
  }
  // `--help` and commands that fail earlier do not load most of the package.
  const { composeService } = await import("../service.ts");
  const service = await composeService(local, settings, JSON.parse(identity) as ServiceIdentity);
  try {
    return await use(service);
  } finally {
    await service.close();
  }
}
