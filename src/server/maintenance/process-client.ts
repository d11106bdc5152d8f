import { z } from "zod";
import { HoldfastError, systemErrorCode } from "../../core/errors.ts";
import { isProofOf, randomNonce } from "../process-proof.ts";
import { listRunningProcesses, type RunningProcess } from "../running-processes.ts";

/** How long a request to a process of the service may take. */
export const PROCESS_TIMEOUT_MS = 5000;
const MAX_RESPONSE_LENGTH = 1_048_576;

const proofSchema = z.object({ proof: z.string() });

/** The process at the address of an announcement. */
type Found =
  /** The process that wrote the announcement. */
  | "process"
  /** Something that does not know the nonce. */
  | "stranger"
  | "silent"
  /** Nothing listens. The process ended without removing its announcement, and its pid belongs to another one. */
  | "nothing";

/** No token is sent before the process proved that it wrote the announcement: another one may have its port now. */
async function challengeProcess({ address, nonce }: RunningProcess, timeoutMs: number): Promise<Found> {
  const challenge = randomNonce();
  try {
    const { json } = await askProcess(`${address}/guard/proof?challenge=${challenge}`, {}, timeoutMs);
    const parsed = proofSchema.safeParse(json);
    return parsed.success && isProofOf(nonce, challenge, parsed.data.proof) ? "process" : "stranger";
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    return systemErrorCode(cause) === "ECONNREFUSED" ? "nothing" : "silent";
  }
}

/** A process that announced itself, and who answers at its address. */
export interface FoundProcess extends Pick<RunningProcess, "address" | "pid"> {
  readonly found: Found;
}

/** Asks at every announced address who is there. Leaves out announcements whose process certainly ended. */
export async function findProcesses(
  directory: string,
  timeoutMs: number = PROCESS_TIMEOUT_MS,
): Promise<FoundProcess[]> {
  const announced = await listRunningProcesses(directory);
  const all = await Promise.all(
    announced.map(async (one) => ({
      address: one.address,
      pid: one.pid,
      found: await challengeProcess(one, timeoutMs),
    })),
  );
  // After a restart a process can have the address of the one before, whose pid belongs to another process now.
  const proven = new Set(all.filter(({ found }) => found === "process").map(({ address }) => address));
  return all.filter(
    ({ address, found }) => found === "process" || (found !== "nothing" && !proven.has(address)),
  );
}

/** The response of a process. */
export interface ProcessResponse {
  readonly status: number;
  readonly text: string;
  /** `undefined` when the body is not JSON. */
  readonly json: unknown;
}

/** Sends a request to a process. Rejects when no complete response of a usual size arrives in time. */
export async function askProcess(
  url: string,
  init: RequestInit = {},
  timeoutMs: number = PROCESS_TIMEOUT_MS,
): Promise<ProcessResponse> {
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, { ...init, redirect: "error", signal });
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.length > MAX_RESPONSE_LENGTH)
      throw new HoldfastError("upstream_failed", "the response is too long");
  }
  try {
    return { status: response.status, text, json: JSON.parse(text) as unknown };
  } catch {
    return { status: response.status, text, json: undefined };
  }
}
