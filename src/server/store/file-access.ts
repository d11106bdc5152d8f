import { stat } from "node:fs/promises";
import { HoldfastError } from "../../core/errors.ts";

const GROUP_SHIFT = 3;
const READ = 0o4;
const WRITE = 0o2;

/**
 * Rejects with `invalid_option` when users outside the groups of this process can write to the file, because they could
 * replace a secret by their own. Warns when they can read it. A group of the process counts as its own, because
 * Kubernetes gives the files of a volume to such a group.
 */
export async function checkFileAccess(file: string): Promise<void> {
  // Windows has access lists instead of modes.
  if (process.platform === "win32") return;
  const { mode, gid } = await stat(file);
  const isOwnGroup = gid === process.getegid?.() || process.getgroups?.().includes(gid) === true;
  const others = mode | (isOwnGroup ? 0 : mode >> GROUP_SHIFT);
  if ((others & WRITE) !== 0) {
    throw new HoldfastError("invalid_option", `${file} can be written by other users: chmod 600 ${file}`);
  }
  if ((others & READ) !== 0) {
    process.emitWarning(`${file} holds a secret, and other users can read it: chmod 600 ${file}`, {
      code: "HOLDFAST_READABLE_SECRET",
    });
  }
}
