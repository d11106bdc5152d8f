import { z } from "zod";
import { systemEntropy } from "../../core/entropy.ts";
import { systemClock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { openSigningKey } from "../../issuer/keys/sealed-key.ts";
import { deriveSecrets } from "../../issuer/secret-keys.ts";
import { signToken } from "../../jwt/sign.ts";
import { ADMIN_SCOPE } from "../../issuer/users/administrators.ts";
import type { GuardActionResult } from "../http/guard-actions.ts";
import type { ServiceIdentity } from "../service.ts";
import { loadSettings } from "../secret-files.ts";
import type { OpenedStore } from "../store/local-store.ts";
import { openStore } from "../store/open-store.ts";
import { askProcess, findProcesses, PROCESS_TIMEOUT_MS } from "./process-client.ts";

/** The token must live as long as the request may take. The second more is lost when `iat` becomes a whole number. */
const TOKEN_LIFE_S = PROCESS_TIMEOUT_MS / 1000 + 1;

/** A control character could steer the terminal. */
const printable = z.string().transform((text) => text.replace(/\p{C}/gu, ""));
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
    const iat = Math.floor(systemClock.now() / 1000);
    const subject = { sub: "holdfast-cli", client_id: "holdfast-cli", jti: systemEntropy.uuid() };
    return signToken(
      { iss: url, aud: audience, ...subject, scope: ADMIN_SCOPE, iat, exp: iat + TOKEN_LIFE_S },
      key,
    );
  };
}

async function send(address: string, path: string, token: string, body: unknown): Promise<ProcessResult> {
  try {
    const { status, json } = await askProcess(address + path, {
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
