import { stat } from "node:fs/promises";
import { sep } from "node:path";
import { isHoldfastError } from "../../core/errors.ts";
import { SECRET_MARKER } from "../../issuer/store/secret-marker.ts";
import { deriveSecrets } from "../../issuer/secret-keys.ts";
import { readPrivateFile } from "../../server/store/private-file.ts";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

const OTHERS_MAY_READ = 0o004;
/** Containers get their secrets here, often readable by every user, of which there is one. */
const CONTAINER_SECRETS = "/run/secrets/";
/** A random text of 32 bytes has more different characters, even in hexadecimal digits. */
const MIN_DIFFERENT = 9;

export const secretCheck: Check = {
  name: "secret",
  group: "configuration",
  asks: "the store",
  async run(context) {
    const { settings, files, given } = context;
    const source = given.find(({ name }) => name === "HOLDFAST_SECRET")?.source;
    const file = source === undefined ? files.secret : source === "environment" ? null : source;
    const text = settings.secret ?? (await readPrivateFile(files.secret));
    if (text === null) return [await describeMissing(context)];
    const findings = [await compareFingerprint(text, context)];
    if (file !== null) findings.push(...(await checkFile(file, settings.dataDir)));
    if (text.split(",").some((part) => new Set(part.trim()).size < MIN_DIFFERENT)) {
      findings.push(warn("the secret repeats few characters", "make a random one: openssl rand -base64 32"));
    }
    return findings;
  },
};

/** Without a configured secret, the first start makes one together with the data. */
async function describeMissing({ files, store }: DoctorContext): Promise<Finding> {
  const markers = await store.markers();
  if (markers === null || !markers.has(SECRET_MARKER)) return skip("the first start makes the secret");
  const advice = `put back ${files.secret}, or set HOLDFAST_SECRET; docs/run/operations.md explains what is lost without it`;
  return fail(`the secret of ${files.data} is not on this machine`, advice);
}

async function checkFile(file: string, dataDir: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const mode = (await stat(file).catch(() => null))?.mode ?? 0;
  const isShared = process.platform !== "win32" && !file.startsWith(CONTAINER_SECRETS);
  if (isShared && (mode & OTHERS_MAY_READ) !== 0) {
    findings.push(warn(`every user of this machine can read the secret in ${file}`, `chmod 600 ${file}`));
  }
  if (file.startsWith(dataDir + sep)) {
    const detail = `the secret is in the data directory (${file}): a copy of the data opens itself`;
    findings.push(warn(detail, "move it out, and set HOLDFAST_SECRET_FILE to its new place"));
  }
  return findings;
}

/** The store has the fingerprint of the secret, which reveals nothing of it. */
async function compareFingerprint(text: string, { redis, store }: DoctorContext): Promise<Finding> {
  let fingerprints: string[];
  try {
    fingerprints = deriveSecrets(text, "the secret").map(({ fingerprint }) => fingerprint);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return fail(error.message, "restore the file from your backup of the secret");
  }
  const markers = await store.markers();
  if (redis !== null && markers === null)
    return ok("long enough; it was not compared, because Redis cannot be read: see redis");
  const recorded = markers?.get(SECRET_MARKER);
  if (recorded === undefined)
    return ok("long enough; the store is not readable or new, so it was not compared");
  if (fingerprints.includes(recorded)) return ok("it is the secret of the store");
  const advice =
    "use the secret of this store; to replace it, put the new one before the old one, separated by a comma";
  return fail("the store belongs to another secret", advice);
}
