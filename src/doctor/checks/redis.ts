import { fileExists, readPrivateFile } from "../../server/store/private-file.ts";
import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";
import type { RedisAnswers, RedisReading } from "../redis-probe.ts";

/** A read of the store has 500 ms, and a login waits for several. */
const SLOW_PING_MS = 50;
const MIN_VERSION = [6, 2] as const;
const SLOTS = "16384";
const MAX_NAMED_SLOTS = 5;
/** The share of `maxmemory` at which there is little room for new sessions. */
const NEARLY_FULL = 0.9;

export const redisCheck: Check = {
  name: "redis",
  group: "store",
  asks: "Redis",
  async run(context) {
    const { redis, settings } = context;
    if (redis === null) return [skip("the store is the embedded one")];
    const reading = await redis.read();
    const { description, answers } = reading;
    if (answers === null) return [describeFailure(reading, settings.roles.has("issuer"))];
    const problems = [
      ...answers.servers.flatMap((facts) => judgeRedisServer(description, facts)),
      ...judgeDeployment(description, answers),
      ...(await judgeMarkers(context, description, answers.markers)),
    ];
    if (problems.length > 0) return problems;
    return [ok(`${description}: ${answers.durability}, answers in ${answers.pingMs.toFixed(1)} ms`)];
  },
};

function describeFailure({ description, failure }: RedisReading, isIssuer: boolean): Finding {
  const effect = isIssuer
    ? "logins, refreshes and revocations wait for it"
    : "this gateway reads no revocation, and refuses tokens once its view is too old";
  const detail = `${description} cannot be used: ${failure?.replace(`${description}: `, "")}; ${effect}`;
  return fail(
    detail,
    "see whether it runs, hangs or is cut off, and whether REDIS_URL and its password are right",
  );
}

/** Judges the `INFO` of one primary. */
export function judgeRedisServer(description: string, facts: ReadonlyMap<string, string>): Finding[] {
  const findings: Finding[] = [];
  const number = (name: string) => Number(facts.get(name) ?? 0);
  const version = facts.get("redis_version") ?? "";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (version !== "" && (major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1]))) {
    findings.push(
      fail(`${description} is version ${version}`, `Redis ${MIN_VERSION.join(".")} or newer is needed`),
    );
  }
  if (facts.get("role") === "slave") {
    const primary = `${facts.get("master_host")}:${facts.get("master_port")}`;
    const detail = `${description} is a read-only replica of ${primary}: every login and refresh fails (READONLY)`;
    findings.push(
      fail(detail, "name the primary in REDIS_URL, or the Sentinels; or make this server a primary again"),
    );
  }
  if (facts.get("loading") === "1") {
    findings.push(
      fail(`${description} is loading its data (LOADING)`, "wait until it has read them from its disk"),
    );
  }
  const writeError = ["aof_last_write_status", "rdb_last_bgsave_status"].find(
    (name) => facts.get(name) === "err",
  );
  if (writeError !== undefined) {
    const detail = `${description} could not write to its disk (${writeError}:err), and may refuse writes (MISCONF)`;
    findings.push(fail(detail, "make room on the disk of Redis, and read its log"));
  }
  const [used, max] = [number("used_memory"), number("maxmemory")];
  if (max > 0 && used >= max) {
    findings.push(fail(`${description} has used its maxmemory (OOM): it takes no writes`, "raise maxmemory"));
  } else if (max > 0 && used >= max * NEARLY_FULL) {
    const percent = Math.round((100 * used) / max);
    findings.push(
      warn(`${description} has used ${percent} % of its maxmemory`, "raise maxmemory before writes fail"),
    );
  }
  const [needed, good] = [number("min-replicas-to-write"), facts.get("min_slaves_good_slaves")];
  if (needed > 0 && good !== undefined && Number(good) < needed) {
    const detail = `${description} has ${good} of the ${needed} replicas that it needs to take a write (NOREPLICAS)`;
    findings.push(fail(detail, "start the replicas again, or lower min-replicas-to-write knowingly"));
  }
  return findings;
}

function judgeDeployment(description: string, answers: RedisAnswers): Finding[] {
  const { cluster, denied, durabilityProblem, openSlots, pingMs, replicas, servers } = answers;
  const findings: Finding[] = [];
  if (
    cluster !== null &&
    (cluster.get("cluster_state") !== "ok" || cluster.get("cluster_slots_ok") !== SLOTS)
  ) {
    const detail = `${description} serves ${cluster.get("cluster_slots_ok")} of ${SLOTS} slots (CLUSTERDOWN)`;
    findings.push(fail(detail, "let a replica take over the slots of the primary that is down"));
  }
  if (openSlots.length > 0) {
    const named =
      openSlots.slice(0, MAX_NAMED_SLOTS).join(", ") + (openSlots.length > MAX_NAMED_SLOTS ? ", …" : "");
    const detail = `${description} has not completed the move of ${openSlots.length} slots to another server: ${named}; some logins, logouts and revocations may be 503 (TRYAGAIN)`;
    findings.push(warn(detail, "if no move is under way now, end it with redis-cli --cluster fix"));
  }
  if (denied !== null && denied.length > 0) {
    const detail = `the ACL user of ${description} may not run ${denied.join(", ").toUpperCase()} on the keys of the store`;
    findings.push(
      fail(detail, "give it these commands and the keys ~holdfast:*; docs/run/redis.md lists them"),
    );
  }
  if (durabilityProblem !== null) {
    findings.push(
      fail(
        `${description} ${durabilityProblem}`,
        "change its configuration; the service does not start with it",
      ),
    );
  }
  const fewest = Math.min(...servers.map((facts) => Number(facts.get("connected_slaves") ?? 0)));
  if (fewest < replicas) {
    const detail = `${description} has ${fewest} of the ${replicas} replicas that must confirm a write`;
    findings.push(fail(detail, "start the replicas again, or lower HOLDFAST_REDIS_REPLICAS knowingly"));
  }
  if (pingMs > SLOW_PING_MS) {
    const detail = `${description} answers in ${Math.round(pingMs)} ms`;
    findings.push(
      warn(detail, "move it nearer: a login waits for several answers, and a read ends after 500 ms"),
    );
  }
  return findings;
}

/** Compares the store with the one that this machine used before. */
async function judgeMarkers(
  { files }: DoctorContext,
  description: string,
  markers: RedisAnswers["markers"],
): Promise<Finding[]> {
  if (markers.has("filling")) {
    return [fail(`${description} has an incomplete migration`, "run holdfast migrate again")];
  }
  if (!(await fileExists(files.marker))) return [];
  const expected = await readPrivateFile(files.marker);
  if (expected === null || markers.get("id") === expected) return [];
  const what = markers.has("id") ? "is another store than the one" : "is empty, and not the store";
  const advice = `correct REDIS_URL, or restore the store; remove ${files.marker} only to begin anew`;
  return [fail(`${description} ${what} that ${files.marker} names`, advice)];
}
