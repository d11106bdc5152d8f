import { askProcess, type FoundProcess, type ProcessResponse } from "../server/maintenance/process-client.ts";
import type { DoctorContext } from "./context.ts";

/** Reads a page of the admin listener of a process. Rejects when the process does not answer. */
export async function askAdmin(
  { adminToken }: Pick<DoctorContext, "adminToken">,
  { address }: Pick<FoundProcess, "address">,
  path: "/health" | "/metrics",
): Promise<ProcessResponse> {
  const headers: Record<string, string> =
    adminToken === null ? {} : { authorization: `Bearer ${adminToken}` };
  return await askProcess(address + path, { headers });
}

/** Finds the value of a label in the first sample of a metric. `undefined` when the text lacks such a sample. */
export function findLabel(text: string, metric: string, label: string): string | undefined {
  return new RegExp(`^${metric}\\{(?:[^}]*,)?${label}="([^"]*)"`, "m").exec(text)?.[1];
}
