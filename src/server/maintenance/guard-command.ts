import { randomUUID } from "node:crypto";
import { HoldfastError } from "../../core/errors.ts";
import { openSigningKey } from "../../issuer/keys/sealed-key.ts";
import { deriveSecrets } from "../../issuer/secret-keys.ts";
import { signToken } from "../../jwt/sign.ts";
import { ADMIN_SCOPE, type GuardActionResult } from "../http/guard-actions.ts";
import { listRunningProcesses } from "../running-processes.ts";
import type { ServiceIdentity } from "../service.ts";
import { readSettings } from "../settings.ts";
import type { OpenedStore } from "../store/local-store.ts";
import { openStore } from "../store/open-store.ts";

const TOKEN_LIFE_S = 30;
const TIMEOUT_MS = 5000;

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
  const settings = readSettings(process.env);
  const opened = await openStore(settings, { create: false });
  try {
    const processes = await listRunningProcesses(opened.files.processes);
    if (processes.length === 0) {
      const message = `no process of the service with the data in ${settings.dataDir} runs on this machine`;
      throw new HoldfastError("upstream_failed", message);
    }
    const token = await signAdminToken(opened);
    const results = await Promise.all(
      processes.map(async ({ address }) => await send(address, path, token, body)),
    );
    return { results, isShared: settings.redis !== undefined };
  } finally {
    await opened.store.close();
  }
}

/** Signs an access token of the service for this command. It has no session and expires after 30 seconds. */
async function signAdminToken({ store, secret }: OpenedStore): Promise<string> {
  const identity = await store.markers.read("identity");
  const records = await store.keys.list();
  const active = records.find(({ activatedAt, retiredAt }) => activatedAt !== null && retiredAt === null);
  const key = active === undefined ? null : openSigningKey(deriveSecrets(secret), active);
  if (identity === null || key === null) {
    const message = `${store.description} has no signing key that opens under this secret`;
    throw new HoldfastError("store_mismatch", message);
  }
  const { url, audience } = JSON.parse(identity) as ServiceIdentity;
  const iat = Math.floor(Date.now() / 1000);
  const subject = { sub: "holdfast-cli", client_id: "holdfast-cli", jti: randomUUID() };
  return signToken(
    { iss: url, aud: audience, ...subject, scope: ADMIN_SCOPE, iat, exp: iat + TOKEN_LIFE_S },
    key,
  );
}

async function send(address: string, path: string, token: string, body: unknown): Promise<ProcessResult> {
  try {
    const response = await fetch(address + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = (await response.json()) as GuardActionResult & { readonly error_description?: string };
    if (response.status === 200) return { address, status: "done", ...answer };
    return { address, status: "failed", reason: answer.error_description ?? `answered ${response.status}` };
  } catch {
    return { address, status: "failed", reason: "does not answer" };
  }
}
