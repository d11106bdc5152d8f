import { readFile } from "node:fs/promises";
import { HoldfastError, systemErrorCode } from "../../core/errors.ts";
import type { RedisStoreOptions } from "../../stores/redis.ts";
import type { RedisSettings } from "../redis-settings.ts";
import { checkFileAccess } from "./file-access.ts";
import { fileExists } from "./private-file.ts";

type RedisTls = NonNullable<RedisStoreOptions["tls"]>;

/** Reads the PEM files. The file with the password is read at each connection. Rejects with
 * `store_unavailable`, or with `invalid_option` when other users can write to a file with a secret. */
export async function readRedisOptions({
  tlsFiles,
  passwordFile,
  ...options
}: RedisSettings): Promise<RedisStoreOptions> {
  const tls: Partial<Record<keyof RedisTls, string>> = {};
  for (const [name, file] of Object.entries(tlsFiles ?? {})) {
    tls[name as keyof RedisTls] = await readText(file);
    if (name === "key") await checkFileAccess(file);
  }
  // Only once, because the file is read again for each connection. A missing file is reported by the connection.
  if (passwordFile !== undefined && (await fileExists(passwordFile))) await checkFileAccess(passwordFile);
  return {
    ...options,
    ...(tlsFiles !== undefined && { tls }),
    ...(passwordFile !== undefined && {
      credentials: async () => ({ password: (await readText(passwordFile)).trimEnd() }),
    }),
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const message = `${file} cannot be read (${systemErrorCode(error)})`;
    throw new HoldfastError("store_unavailable", message, { cause: error });
  }
}
