import { z } from "zod";
import type { FoundProcess } from "../server/maintenance/process-client.ts";
import { settingDefinitions } from "../server/setting-definitions.ts";
import type { Settings } from "../server/settings.ts";
import { askAdmin } from "./ask-admin.ts";

/** A process of the service whose settings are not those of this command. */
export interface OtherSettings {
  readonly pid: number;
  /** The names of the settings that differ. */
  readonly names: readonly string[];
}

/** The checks begin after this time, whether or not every process has answered. */
const TIMEOUT_MS = 1500;

const answerSchema = z.object({
  settings: z.array(
    z.object({ name: z.string(), value: z.string().nullable(), isSecret: z.boolean(), source: z.string() }),
  ),
});

/** The process was found through the data directory, so that both have the same, whatever its spelling. */
const SAME_PLACE = "HOLDFAST_DATA_DIR";

/** Compares the settings with those of the running processes. A process that does not tell its settings is left out. */
export async function findOtherSettings(
  { texts }: Pick<Settings, "texts">,
  processes: readonly FoundProcess[],
  adminToken: string | null,
): Promise<readonly OtherSettings[]> {
  const own = new Map(
    Object.entries(settingDefinitions).map(([name, { default: fallback }]) => [
      name,
      { isGiven: texts[name] !== undefined, value: texts[name] ?? fallback ?? null },
    ]),
  );
  const compare = async (one: FoundProcess): Promise<OtherSettings[]> => {
    const response = await askAdmin({ adminToken }, one, "/api/settings", TIMEOUT_MS).catch(() => null);
    const parsed = answerSchema.safeParse(response?.json);
    if (!parsed.success) return [];
    const different = parsed.data.settings.filter(({ name, value, isSecret, source }) => {
      const mine = own.get(name);
      if (mine === undefined || name === SAME_PLACE) return false;
      // A secret is told as a fingerprint.
      const isGiven = source === "environment" || source === "file";
      return isSecret ? mine.isGiven !== isGiven : mine.value !== value;
    });
    return different.length === 0 ? [] : [{ pid: one.pid, names: different.map(({ name }) => name) }];
  };
  const asked = processes.filter(({ found }) => found === "process");
  return (await Promise.all(asked.map(compare))).flat();
}
