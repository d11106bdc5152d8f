import { HoldfastError } from "../../core/errors.ts";
import { openStore } from "../store/open-store.ts";
import { composeService, type ServiceIdentity, type Service } from "../service.ts";
import { readSettings } from "../settings.ts";

/**
 * Lends the service on this machine's data to a command, beside a running one or without it, and closes it after:
 * under the identity it was last served with. What the running one keeps for its own restart is left alone; a command
 * asks the store itself what is in force.
 */
export async function withService<T>(use: (service: Service) => Promise<T>): Promise<T> {
  const settings = readSettings(process.env);
  const local = await openStore(settings, { create: false });
  const identity = await local.store.markers.read("identity");
  if (identity === null) {
    await local.store.close();
    const message = `${local.store.description} was never served: start the service once`;
    throw new HoldfastError("store_unavailable", message);
  }
  const service = await composeService(local, settings, JSON.parse(identity) as ServiceIdentity);
  try {
    return await use(service);
  } finally {
    await service.close();
  }
}
