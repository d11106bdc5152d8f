import { fail, warn, type Finding } from "./finding.ts";

/** The state of the file system of a directory. */
export interface FileSystemState {
  /** The magic number of `statfs`. */
  readonly type: number;
  /** The bytes that a usual user can still write. */
  readonly freeBytes: number;
  /** The files that can still be made. `null` when the file system has no such number. */
  readonly freeFiles: number | null;
  /** A restore makes a second copy of this size. */
  readonly neededBytes: number;
}

const MEGABYTE = 1_048_576;
/** The next writes of a busy service take this much, so it fails within seconds. */
const FAIL_BYTES = MEGABYTE;
const WARN_BYTES = 64 * MEGABYTE;

/** File systems over a network, whose locks SQLite cannot rely on (statfs(2)). */
const networkTypes: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x517b: "SMB",
  0xfe534d42: "SMB",
  0xff534d42: "SMB",
  0x01021997: "9P",
};

export function judgeFileSystem(directory: string, state: FileSystemState): Finding[] {
  const { type, freeBytes, freeFiles, neededBytes } = state;
  const findings: Finding[] = [];
  const free = `${(freeBytes / MEGABYTE).toFixed(freeBytes < 10 * MEGABYTE ? 1 : 0)} MB`;
  const network = networkTypes[type >>> 0];
  if (network !== undefined) {
    const detail = `${directory} is on ${network}, whose locks and shared memory SQLite cannot rely on`;
    findings.push(fail(detail, "move the data to a disk of this machine, or use HOLDFAST_STORE=redis"));
  }
  if (freeBytes < FAIL_BYTES) {
    findings.push(
      fail(
        `the disk of ${directory} is full: ${free} are free`,
        "make room; nothing is lost, and the service goes on",
      ),
    );
  } else if (freeFiles === 0) {
    findings.push(
      fail(`the disk of ${directory} has room for no further file`, "remove files; the inodes are used up"),
    );
  } else if (freeBytes < Math.max(WARN_BYTES, neededBytes)) {
    findings.push(
      warn(
        `the disk of ${directory} has ${free} left`,
        "make room: a restore needs a second copy of the data",
      ),
    );
  }
  return findings;
}
