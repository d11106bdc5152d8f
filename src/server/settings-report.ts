import { isHoldfastError } from "../core/errors.ts";
import { readSecretFiles } from "./secret-files.ts";
import { findServiceLinks } from "./service-links.ts";
import { readSettings, type Settings } from "./settings.ts";

/** A setting that is given, and where its value stands. The value is left out, because it may be a secret. */
interface GivenSetting {
  readonly name: string;
  /** `environment`, or the file that a `…_FILE` variable names. */
  readonly source: string;
}

/** The settings of this environment, whether or not a service could start with them. */
export interface SettingsReport {
  /** `null` when there are problems. */
  readonly settings: Settings | null;
  /** One sentence for each problem. */
  readonly problems: readonly string[];
  /** The settings that are not left to their defaults, by name. */
  readonly given: readonly GivenSetting[];
}

/** Other settings than those of Holdfast that the service reads. */
const FURTHER_NAMES = new Set(["REDIS_URL", "REDIS_URL_FILE", "ALLOW_DEGRADED_AUTH"]);

/** Reads the settings as `holdfast serve` does, and reports problems in place of throwing them. */
export async function reportSettings(): Promise<SettingsReport> {
  const links = findServiceLinks(process.env);
  const names = Object.keys(process.env).filter(
    (name) => (name.startsWith("HOLDFAST_") || FURTHER_NAMES.has(name)) && !links.includes(name),
  );
  const given = names.toSorted().map((name) => {
    const file = name.endsWith("_FILE") ? process.env[name] : undefined;
    const isSecretFile = file !== undefined && name !== "HOLDFAST_REDIS_PASSWORD_FILE";
    return isSecretFile
      ? { name: name.slice(0, -"_FILE".length), source: file }
      : { name, source: "environment" };
  });
  try {
    return { settings: readSettings(await readSecretFiles(process.env)), problems: [], given };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { settings: null, problems: error.message.split("\n"), given };
  }
}
