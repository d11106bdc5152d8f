import { randomUUID } from "node:crypto";
import { z } from "zod";
import { HoldfastError, systemErrorCode } from "../../core/errors.ts";
import { openSigningKey } from "../../issuer/keys/sealed-key.ts";
import { deriveSecrets } from "../../issuer/secret-keys.ts";
import { signToken } from "../../jwt/sign.ts";
import { ADMIN_SCOPE } from "../../issuer/users/administrators.ts";
import type { GuardActionResult } from "../http/guard-actions.ts";
import { isProofOf, randomNonce } from "../process-proof.ts";
import { listRunningProcesses, type RunningProcess } from "../running-processes.ts";
import type { ServiceIdentity } from "../service.ts";
import { loadSettings } from "../secret-files.ts";
import type { OpenedStore } from "../store/local-store.ts";
import { openStore } from "../store/open-store.ts";

const TIMEOUT_MS = 5000;
/** The token must live as long as the request may take. The second more is lost when `iat` becomes a whole number. */
const TOKEN_LIFE_S = TIMEOUT_MS / 1000 + 1;
const MAX_RESPONSE_LENGTH = 65_536;

/** A control character could steer the terminal. */
const printable = z.string().transform((text) => text.replace(/\p{C}/gu, ""));
const proofSchema = z.object({ proof: z.string() });
const resultSchema = z.object({ issuer: printable, audited: z.boolean() });
const errorSchema = z.object({ error_description: printable });

/** The answer of one process of the service. */
type ProcessResult = { readonly address: string } & (
  | ({ readonly status: "done" } & GuardActionResult)
  | { readonly status: "failed"; readonly reason: string }
);

export interface ActionReport {
  /** One entry for each process of the service on this machine. At least one. */
  readonly results: readonly ProcessResult[];
  /** Whether services on other machines may share the store. This command does not reach them. */
  readonly isShared: boolean;
}

/**
 * Sends an action to the admin listener of every process of the service on this machine. Rejects with
 * `upstream_failed` when no process runs.
 */
export async function performGuardAction(
  path: "/guard/distrust-keys" | "/guard/breaker",
  body: Readonly<Record<string, string | undefined>>,
): Promise<ActionReport> {
  const settings = await loadSettings();
  const opened = await openStore(settings, { create: false });
  try {
    const processes = await findProcesses(opened.files.processes);
    if (processes.length === 0) {
      const message = `no process of the service with the data in ${settings.dataDir} runs on this machine`;
      throw new HoldfastError("upstream_failed", message);
    }
    const sign = await createTokenSigner(opened);
    const results = await Promise.all(
      processes.map(async ({ address, found }): Promise<ProcessResult> => {
        if (found === "process") return await send(address, path, sign(), body);
        const reason = found === "silent" ? "does not answer" : "another program listens at this address";
        return { address, status: "failed", reason };
      }),
    );
    return { results, isShared: settings.redis !== undefined };
  } finally {
    await opened.store.close();
  }
}

/** Asks at every announced address who is there. Leaves out announcements whose process certainly ended. */
async function findProcesses(directory: string): Promise<{ address: string; found: Found }[]> {
  const announced = await listRunningProcesses(directory);
  const all = await Promise.all(
    announced.map(async (one) => ({ address: one.address, found: await challengeProcess(one) })),
  );
  // After a restart a process can have the address of the one before, whose pid belongs to another process now.
  const proven = new Set(all.filter(({ found }) => found === "process").map(({ address }) => address));
  return all.filter(
    ({ address, found }) => found === "process" || (found !== "nothing" && !proven.has(address)),
  );
}

/** Reads the key that the issuer signs with. The returned function signs a token that lives for one request. */
async function createTokenSigner({ store, secret }: OpenedStore): Promise<() => string> {
  const identity = await store.markers.read("identity");
  const records = await store.keys.list();
  const active = records.filter(({ activatedAt, retiredAt }) => activatedAt !== null && retiredAt === null);
  const secrets = deriveSecrets(secret);
  const key = active.map((record) => openSigningKey(secrets, record)).findLast((opened) => opened !== null);
  if (identity === null || key === undefined || key === null) {
    const message = `${store.description} has no signing key that opens under this secret`;
    throw new HoldfastError("store_mismatch", message);
  }
  const { url, audience } = JSON.parse(identity) as ServiceIdentity;
  return () => {
    const iat = Math.floor(Date.now() / 1000);
    const subject = { sub: "holdfast-cli", client_id: "holdfast-cli", jti: randomUUID() };
    return signToken(
      { iss: url, aud: audience, ...subject, scope: ADMIN_SCOPE, iat, exp: iat + TOKEN_LIFE_S },
      key,
    );
  };
}

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
async function challengeProcess({ address, nonce }: RunningProcess): Promise<Found> {
  const challenge = randomNonce();
  try {
    const { json } = await ask(`${address}/guard/proof?challenge=${challenge}`);
    const parsed = proofSchema.safeParse(json);
    return parsed.success && isProofOf(nonce, challenge, parsed.data.proof) ? "process" : "stranger";
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    return systemErrorCode(cause) === "ECONNREFUSED" ? "nothing" : "silent";
  }
}

async function send(address: string, path: string, token: string, body: unknown): Promise<ProcessResult> {
  try {
    const { status, json } = await ask(address + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const done = resultSchema.safeParse(json);
    if (status === 200 && done.success) return { ...done.data, address, status: "done" };
    const refused = errorSchema.safeParse(json);
    const reason = refused.success ? refused.data.error_description : `answered ${status}`;
    return { address, status: "failed", reason };
  } catch {
    return { address, status: "failed", reason: "does not answer" };
  }
}

/** The body is `undefined` when it is not JSON. Rejects when no complete response of a usual size arrives in time. */
async function ask(url: string, init: RequestInit = {}): Promise<{ status: number; json: unknown }> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { ...init, redirect: "error", signal });
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.length > MAX_RESPONSE_LENGTH)
      throw new HoldfastError("upstream_failed", "the response is too long");
  }
  try {
    return { status: response.status, json: JSON.parse(text) as unknown };
  } catch {
    return { status: response.status, json: undefined };
  }
}
