import { createHmac } from "node:crypto";
import type { SettingView } from "../../../dashboard/wire-api.ts";
import { isSecretSetting } from "../../secret-files.ts";
import { settingDefinitions } from "../../setting-definitions.ts";
import type { Settings } from "../../settings.ts";

/**
 * Every setting with its effective value and its source. A secret has a fingerprint in place of its value: an HMAC under
 * the secret of the service. Instances with the same settings show the same one, and a reader cannot guess a password by it.
 */
export function describeSettings(
  { texts }: Pick<Settings, "texts">,
  secret: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): SettingView[] {
  return Object.entries(settingDefinitions).map(([name, { form, default: fallback, otherwise = null }]) => {
    const text = texts[name];
    const value = text ?? fallback ?? null;
    const isSecret = isSecretSetting(name);
    const isFromFile = environment[`${name}_FILE`] !== undefined && environment[name] === undefined;
    const given = isFromFile ? "file" : "environment";
    return {
      name,
      form,
      value: value === null || !isSecret ? value : fingerprint(secret, name, value),
      isSecret,
      source: text !== undefined ? given : fallback !== undefined ? "default" : "unset",
      otherwise,
    };
  });
}

function fingerprint(secret: string, name: string, value: string): string {
  const [current = ""] = secret.split(",", 1);
  const digest = createHmac("sha256", current.trim())
    .update(`holdfast setting ${name}\0${value}`)
    .digest("hex");
  return `#${digest.slice(0, 12)}`;
}
