import { openRecorded, type Service } from "./service.ts";
import { readSettings } from "./settings.ts";

/** Lends the service on this machine's data to a command, beside a running one or without it, and closes it after. */
export async function withService<T>(use: (service: Service) => Promise<T>): Promise<T> {
  const service = await openRecorded(readSettings(process.env));
  try {
    return await use(service);
  } finally {
    await service.close();
  }
}
