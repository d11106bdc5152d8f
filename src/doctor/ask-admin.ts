import {
  askProcess,
  PROCESS_TIMEOUT_MS,
  type FoundProcess,
  type ProcessResponse,
} from "../server/maintenance/process-client.ts";

/** Reads a page of the admin listener of a process. Rejects when the process does not answer. */
export async function askAdmin(
  { adminToken }: { readonly adminToken: string | null },
  { address }: Pick<FoundProcess, "address">,
  path: "/health" | "/metrics" | "/api/settings",
  timeoutMs: number = PROCESS_TIMEOUT_MS,
): Promise<ProcessResponse> {
  const headers: Record<string, string> =
    adminToken === null ? {} : { authorization: `Bearer ${adminToken}` };
  return await askProcess(address + path, { headers }, timeoutMs);
}

/** Finds the value of a label in the first sample of a metric. `undefined` when the text lacks such a sample. */
export function findLabel(text: string, metric: string, label: string): string | undefined {
  return new RegExp(`^${metric}\\{(?:[^}]*,)?${label}="([^"]*)"`, "m").exec(text)?.[1];
}
