import { access, constants, readFile, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { sleep, systemClock } from "../../core/clock.ts";
import { fileExists } from "../../server/store/private-file.ts";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import type { SqliteReading } from "../sqlite-probe.ts";
import { judgeFileSystem } from "../file-system.ts";

/** Primary result codes of SQLite. */
const BUSY = 5;
const OTHERS = 0o007;
/** A lock that is held at each of these moments belongs to a transaction that does not end. */
const LOCK_SAMPLES = 6;
const LOCK_SAMPLE_MS = 250;
const MEGABYTE = 1_048_576;
/** A log that grows past this is not being copied into the file: a reader has been open for long. */
const LONG_LOG_BYTES = 256 * MEGABYTE;

export const sqliteCheck: Check = {
  name: "sqlite",
  group: "store",
  asks: "the data file",
  async run(context, signal) {
    const { sqlite, files, settings } = context;
    if (sqlite === null) return [skip("the store is in Redis")];
    const reading = await sqlite.read();
    if (reading === null) return [await describeMissing(context)];
    if (reading.failed?.message.includes("unable to open") === true) {
      const detail = `this user cannot read ${files.data}`;
      return [fail(detail, "run the command as the user of the service, to whom the file must belong")];
    }
    const parts = await Promise.all([
      findLockHolder(
        files.data,
        context.processes.map(({ pid }) => pid),
        signal,
      ),
      checkSpace(settings.dataDir, files.data),
      checkModes(context),
    ]);
    const problems = [...parts.flat(), ...judgeReading(files.data, reading)];
    return problems.length > 0 ? problems : [ok(`${files.data} is undamaged, private and not locked`)];
  },
};

/** The first start makes the file. After it, a missing file is a loss. */
async function describeMissing({ files, settings }: DoctorContext): Promise<Finding> {
  if (await fileExists(files.marker)) {
    const advice = `restore a backup, or mount the disk of ${settings.dataDir}; docs/run/operations.md says when to remove the marker`;
    return fail(`${files.data} is missing, and ${files.marker} names the store that was there`, advice);
  }
  let place = settings.dataDir;
  while (!(await fileExists(place)) && dirname(place) !== place) place = dirname(place);
  try {
    await access(place, constants.W_OK | constants.X_OK);
  } catch {
    return fail(
      `this user cannot look into ${place}, or cannot write to it`,
      "run the command as the user of the service; if this is that user, give the directory to it",
    );
  }
  return skip(`there are no data in ${settings.dataDir} yet: the first start makes them`);
}

/** Linux lists the locks of every process. Elsewhere the running service tells that its file is locked. */
async function findLockHolder(file: string, own: readonly number[], signal: AbortSignal): Promise<Finding[]> {
  const shared = await stat(`${file}-shm`).catch(() => null);
  if (shared === null) return [];
  let holder = await readWriteLock(shared.ino);
  for (let i = 1; i < LOCK_SAMPLES && holder !== null; i++) {
    await sleep(systemClock, LOCK_SAMPLE_MS, signal);
    if ((await readWriteLock(shared.ino)) !== holder) holder = null;
  }
  // A service under load may hold the lock at each moment by chance, and its health tells when it is stuck.
  if (holder === null || own.includes(holder)) return [];
  const detail = `${file} is locked: the process ${holder} has been in a transaction for more than a second`;
  return [
    fail(
      detail,
      `end the process ${holder}, which is no process of the service; logins and refreshes wait for it`,
    ),
  ];
}

/** Byte 120 of the shared memory is the lock of the writer (the WAL-index format of SQLite). */
async function readWriteLock(inode: number): Promise<number | null> {
  const text = await readFile("/proc/locks", "utf8").catch(() => "");
  const pattern = new RegExp(`POSIX +ADVISORY +WRITE +(\\d+) [0-9a-f]+:[0-9a-f]+:${inode} 120 120$`, "m");
  const pid = pattern.exec(text)?.[1];
  return pid === undefined ? null : Number(pid);
}

async function checkSpace(directory: string, file: string): Promise<Finding[]> {
  const [disk, { size }, log] = await Promise.all([
    statfs(directory),
    stat(file),
    stat(`${file}-wal`).catch(() => null),
  ]);
  const findings = judgeFileSystem(directory, {
    type: disk.type,
    freeBytes: disk.bavail * disk.bsize,
    freeFiles: disk.files === 0 ? null : disk.ffree,
    neededBytes: size,
  });
  if ((log?.size ?? 0) > LONG_LOG_BYTES) {
    const detail = `${file}-wal has grown to ${Math.round((log?.size ?? 0) / MEGABYTE)} MB`;
    findings.push(
      warn(detail, "end the program that keeps an old read open; a restart of the service shortens the log"),
    );
  }
  return findings;
}

/** The service makes its files with mode 0600, and its directories with 0700. */
async function checkModes({ files, settings }: DoctorContext): Promise<Finding[]> {
  if (process.platform === "win32") return [];
  const findings: Finding[] = [];
  const owner = (await stat(settings.dataDir)).uid;
  for (const path of [settings.dataDir, files.data, `${files.data}-wal`, `${files.data}-shm`]) {
    const found = await stat(path).catch(() => null);
    if (found === null) continue;
    // A directory may be open to look into, as operators make it. The file in it is still private.
    const open = found.mode & (found.isDirectory() ? 0o002 : OTHERS);
    if (open !== 0) {
      const detail = `every user of this machine can ${(open & 0o002) === 0 ? "read" : "write to"} ${path}`;
      const advice = `chmod ${found.isDirectory() ? "700" : "600"} ${path}`;
      findings.push((open & 0o002) === 0 ? warn(detail, advice) : fail(detail, advice));
    }
    if (found.uid === owner || found.uid !== 0) continue;
    const detail = `${path} belongs to root, and its directory to the user ${owner}, who may not be able to write to it`;
    findings.push(
      fail(
        detail,
        `chown --reference=${settings.dataDir} ${path}, and run commands as the user of the service`,
      ),
    );
  }
  return findings;
}

function judgeReading(file: string, { facts, checked, failed }: SqliteReading): Finding[] {
  if (failed !== null) {
    if (failed.code === BUSY) {
      return [
        fail(
          `${file} is locked: another process uses it alone`,
          "wait for the restore or the migration, or end it",
        ),
      ];
    }
    return [
      fail(
        `${file} cannot be read: ${failed.message}`,
        "see whether it is the data file, and restore a backup",
      ),
    ];
  }
  if (facts === null) {
    return [fail(`${file} gives no answer within 4 s`, "see whether its file system hangs")];
  }
  const moved = facts.markers.find(([name]) => name === "moved")?.[1];
  if (moved !== undefined)
    return [fail(`the data of ${file} were moved to ${moved}`, "set HOLDFAST_STORE=redis")];
  const findings: Finding[] = [];
  if (checked === null) {
    findings.push(skip(`${file} is too large to be checked in 4 s: holdfast backup reads all of it`));
  } else if (checked !== "ok") {
    findings.push(fail(`${file} is damaged (${checked})`, "restore a backup"));
  }
  return findings;
}
