import { systemEntropy } from "../core/entropy.ts";
import { HoldfastError } from "../core/errors.ts";
import type { SettingValues } from "./setting-definitions.ts";
import { readSettings, type Settings } from "./settings.ts";
import { claimPrivateFile, readPrivateFile } from "./store/private-file.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings that hold a secret. Docker and Kubernetes mount secrets as files, which no list of processes shows. */
const secretSettings = [
  "HOLDFAST_SECRET",
  "REDIS_URL",
  "HOLDFAST_CLIENTS",
  "HOLDFAST_AUTHORITY_CLIENT",
  "HOLDFAST_BOOTSTRAP_USER",
  "HOLDFAST_ADMIN_TOKEN",
] as const satisfies readonly (keyof SettingValues)[];

/** Whether no list of settings may show the value. A password of the Sentinels has no file of this form. */
export function isSecretSetting(name: string): boolean {
  return [...secretSettings, "HOLDFAST_REDIS_SENTINEL_PASSWORD"].includes(name);
}

/**
 * Replaces each `…_FILE` of a secret setting by the setting with the text of that file, without its final line break.
 * Rejects with `invalid_option` when both are given, when the file is missing or empty, or when other users can write to
 * it. The message never holds the text.
 */
export async function readSecretFiles(env: Environment): Promise<Environment> {
  const read: Record<string, string | undefined> = { ...env };
  const problems: string[] = [];
  for (const name of secretSettings) {
    const setting = `${name}_FILE`;
    const file = env[setting];
    if (file === undefined) continue;
    delete read[setting];
    if (env[name] !== undefined) problems.push(`${name} and ${setting} exclude each other`);
    const text = file === "" ? null : await readPrivateFile(file);
    if (text === null) problems.push(`${setting} must be a file, and ${file || "an empty name"} is none`);
    else if (text === "") problems.push(`${setting} names ${file}, which is empty`);
    else read[name] = text;
  }
  if (problems.length > 0) throw new HoldfastError("invalid_option", problems.join("\n"));
  return read;
}

/**
 * Reads the settings of this process from its environment and from the files that it names. `replaced` are variables that
 * take the place of those of the environment.
 */
export async function loadSettings(replaced: Environment = {}): Promise<Settings> {
  return readSettings({ ...(await readSecretFiles(process.env)), ...replaced });
}

/** Returns the token of the admin listener from its file, which is created (0600) at the first start. */
export async function claimAdminToken(file: string): Promise<string> {
  return await claimPrivateFile(file, systemEntropy.bytes(32).toString("base64url"));
}
