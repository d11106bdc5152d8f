import { readFile } from "node:fs/promises";
import { HoldfastError, systemErrorCode } from "../../core/errors.ts";
import type { RedisStoreOptions } from "../../stores/redis.ts";
import type { RedisSettings } from "../redis-settings.ts";
import { checkFileAccess } from "./file-access.ts";
import { fileExists } from "./private-file.ts";

type RedisTls = NonNullable<RedisStoreOptions["tls"]>;
type CredentialsSource = NonNullable<RedisStoreOptions["credentials"]>;

/** Reads the PEM files. A file with a password is read at each connection. Rejects with
 * `store_unavailable`, or with `invalid_option` when other users can write to a file with a secret. */
export async function readRedisOptions({
  tlsFiles,
  passwordFile,
  sentinelTlsFiles,
  sentinelUser,
  ...options
}: RedisSettings): Promise<RedisStoreOptions> {
  return {
    ...options,
    ...(tlsFiles !== undefined && { tls: await readTls(tlsFiles) }),
    ...(passwordFile !== undefined && { credentials: await passwordFrom(passwordFile) }),
    ...(sentinelTlsFiles !== undefined && { sentinelTls: await readTls(sentinelTlsFiles) }),
    ...(sentinelUser !== undefined && { sentinelCredentials: await credentialsOf(sentinelUser) }),
  };
}

async function readTls(files: NonNullable<RedisSettings["tlsFiles"]>): Promise<RedisTls> {
  const tls: Partial<Record<keyof RedisTls, string>> = {};
  for (const [name, file] of Object.entries(files)) {
    tls[name as keyof RedisTls] = await readText(file);
    if (name === "key") await checkFileAccess(file);
  }
  return tls;
}

async function credentialsOf({
  username = "default",
  password = "",
  passwordFile,
}: NonNullable<RedisSettings["sentinelUser"]>): Promise<CredentialsSource> {
  if (passwordFile === undefined) return () => ({ username, password });
  const source = await passwordFrom(passwordFile);
  return async () => ({ username, ...(await source()) });
}

async function passwordFrom(file: string): Promise<CredentialsSource> {
  // Only once, because the file is read again for each connection. A missing file is reported by the connection.
  if (await fileExists(file)) await checkFileAccess(file);
  return async () => ({ password: (await readText(file)).trimEnd() });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const message = `${file} cannot be read (${systemErrorCode(error)})`;
    throw new HoldfastError("store_unavailable", message, { cause: error });
  }
}
