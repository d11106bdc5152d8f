import { access, constants, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { isRecord } from "../../core/json.ts";
import { systemErrorCode } from "../../core/errors.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

const HOUR_MS = 3_600_000;
/** A guard uses a key set for a day at most, and half of it is left for repairs. */
const OLD_MS = 12 * HOUR_MS;
const OTHERS_MAY_WRITE = 0o002;

/** The last good keys, with which a guard starts while its providers are down. */
export const snapshotsCheck: Check = {
  name: "snapshots",
  group: "providers",
  asks: "the disk of the data directory",
  async run({ files, processes }) {
    const { snapshots: directory } = files;
    const found = await stat(directory).catch(() => null);
    if (found === null) return [skip("the first start of the service makes the directory of snapshots")];
    if (process.platform !== "win32" && (found.mode & OTHERS_MAY_WRITE) !== 0) {
      const detail = `every user of this machine can write to ${directory}, and could put keys of their own there`;
      return [fail(detail, `chmod 700 ${directory}, remove its files, and restart the service`)];
    }
    try {
      await access(directory, constants.W_OK | constants.X_OK);
    } catch (error) {
      const detail = `this user cannot write to ${directory} (${systemErrorCode(error) ?? "failed"})`;
      return [warn(detail, "give it to the user of the service, and run the command as that user")];
    }
    const sets = await readKeySets(directory);
    const findings = sets.flatMap((set) => judgeSet(set, processes.length > 0));
    return findings.length > 0
      ? findings
      : [ok(`${sets.length} saved key ${sets.length === 1 ? "set" : "sets"}`)];
  },
};

interface SavedSet {
  readonly file: string;
  readonly url: string;
  /** Epoch ms. `null` when the file is damaged. */
  readonly fetchedAt: number | null;
}

async function readKeySets(directory: string): Promise<SavedSet[]> {
  const names = (await readdir(directory)).filter((name) => /^keys-[0-9a-f]+\.json$/.test(name));
  return await Promise.all(
    names.map(async (name) => {
      const file = join(directory, name);
      try {
        const saved: unknown = JSON.parse(await readFile(file, "utf8"));
        const { url, fetchedAt } = isRecord(saved) ? saved : {};
        if (typeof url === "string" && typeof fetchedAt === "number") return { file, url, fetchedAt };
      } catch {
        // A damaged file and one that cannot be read are the same to a guard that starts.
      }
      return { file, url: "", fetchedAt: null };
    }),
  );
}

/** A service that does not run saves nothing, so the age of its sets says nothing. */
function judgeSet({ file, url, fetchedAt }: SavedSet, isRunning: boolean): Finding[] {
  if (fetchedAt === null) {
    return [
      warn(`${file} is damaged`, "remove it: the service saves the set again when it fetches the keys"),
    ];
  }
  const ageMs = Date.now() - fetchedAt;
  if (!isRunning || ageMs <= OLD_MS) return [];
  const detail = `the keys of ${url} were last fetched ${Math.floor(ageMs / HOUR_MS)} h ago`;
  return [warn(detail, "repair the way to the key set: after 24 h its tokens are refused with 503")];
}
