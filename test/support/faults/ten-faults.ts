import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noRedis, redisSettings, RedisServer } from "../redis-servers.ts";
import { UnresponsiveProxy } from "../unresponsive-proxy.ts";
import { startDeployment, type Deployment } from "./deployment.ts";
import {
  clockFaults,
  cutFeedFault,
  floodFault,
  fullDiskFault,
  providerFaults,
  redisFaults,
  sqliteFaults,
  type Fault,
} from "./faults.ts";
import { directEntrance, Users } from "./users.ts";

/** One process on SQLite, one process on Redis, or an issuer and a gateway on Redis. */
export type FaultSiteKind = "SQLite" | "Redis" | "two processes";

export type FaultName =
  | "store locked"
  | "disk full"
  | "Redis frozen"
  | "Redis read-only"
  | "authority hung"
  | "authority refuses us"
  | "key set stale"
  | "clock stepped"
  | "feed cut"
  | "login flood";

/** The ten faults that health, alerts, `doctor` and the dashboard have to name: the site of each, and its name there. */
export const tenFaults: Readonly<Record<FaultName, readonly [site: FaultSiteKind, fault: string]>> = {
  "store locked": ["SQLite", "a locked file"],
  "disk full": ["SQLite", "a full disk"],
  "Redis frozen": ["Redis", "a frozen Redis"],
  "Redis read-only": ["Redis", "a Redis that is a read-only replica"],
  "authority hung": ["SQLite", "an authority that hangs"],
  "authority refuses us": ["SQLite", "an authority that refuses the guard"],
  "key set stale": ["SQLite", "new keys that cannot be fetched"],
  "clock stepped": ["SQLite", "a clock that is set an hour back"],
  "feed cut": ["two processes", "a revocation feed that is cut"],
  "login flood": ["SQLite", "a flood of logins from many networks"],
};

/** The names of the ten faults, or of those of one site. */
export function faultNames(kind?: FaultSiteKind): FaultName[] {
  const names = Object.keys(tenFaults) as FaultName[];
  return names.filter((name) => kind === undefined || tenFaults[name][0] === kind);
}

/** The reason why the faults of a site cannot be had here, or `false`. */
export function isSiteMissing(kind: FaultSiteKind): string | false {
  return kind === "SQLite" ? false : noRedis;
}

/**
 * A deployment, its users, and the faults of `tenFaults` that can be done to it.
 *
 * ```ts
 * const site = await startFaultSite("SQLite");
 * await site.during("store locked", async () => console.log(await site.users.askAll()));
 * await site.stop();
 * ```
 */
export interface FaultSite {
  readonly deployment: Deployment;
  readonly users: Users;
  /** Injects the fault, runs `work`, and repairs the fault in every case. */
  readonly during: <T>(name: FaultName, work: () => Promise<T>) => Promise<T>;
  readonly stop: () => Promise<void>;
}

/** Starts a site. `settings` are further settings of its services. */
export async function startFaultSite(
  kind: FaultSiteKind,
  settings: Readonly<Record<string, string>> = {},
): Promise<FaultSite> {
  const parts: (() => unknown)[] = [];
  const stop = async () => {
    for (const part of parts.splice(0).toReversed()) await part();
  };
  try {
    const { deployment, faults } = await openSite(kind, settings, parts);
    parts.push(deployment.stop);
    const users = await Users.logIn(directEntrance(deployment), deployment.provider);
    const find = (name: FaultName): Fault => {
      const [, wanted] = tenFaults[name];
      const found = faults.find((one) => one.name === wanted);
      if (found === undefined) throw new Error(`${name} is not a fault of the site ${kind}`);
      return found;
    };
    return {
      deployment,
      users,
      async during(name, work) {
        const fault = find(name);
        await fault.inject();
        try {
          return await work();
        } finally {
          await fault.repair();
        }
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openSite(
  kind: FaultSiteKind,
  settings: Readonly<Record<string, string>>,
  parts: (() => unknown)[],
): Promise<{ deployment: Deployment; faults: readonly Fault[] }> {
  if (kind === "SQLite") {
    const dataDir = mountSmallDisk(parts);
    const deployment = await startDeployment({ settings, ...(dataDir !== null && { dataDir }) });
    const sqlite = sqliteFaults(deployment);
    // Without root, the limit on the size of a file has to do: every write fails as on a full disk.
    const limited = sqlite.filter(({ name }) => name === "a disk that takes no byte more");
    const full =
      dataDir === null
        ? limited.map((one) => ({ ...one, name: "a full disk" }))
        : [fullDiskFault(deployment)];
    const others = [...providerFaults(deployment), ...clockFaults(deployment), floodFault(deployment)];
    return { deployment, faults: [...sqlite, ...full, ...others] };
  }
  const redis = await RedisServer.start();
  parts.push(async () => await redis.stop());
  const all = { ...redisSettings(redis), ...settings };
  if (kind === "Redis") {
    return { deployment: await startDeployment({ settings: all }), faults: redisFaults(redis) };
  }
  const link = await UnresponsiveProxy.start(redis.port);
  parts.push(() => link.close());
  const gatewaySettings = {
    HOLDFAST_ROLES: "gateway",
    HOLDFAST_BOOTSTRAP_USER: undefined,
    REDIS_URL: link.url,
  };
  return {
    deployment: await startDeployment({ settings: all, gatewaySettings }),
    faults: [cutFeedFault(link)],
  };
}

/** Mounts a disk of a few megabytes. Returns its folder. `null` where this user cannot mount one. */
function mountSmallDisk(parts: (() => unknown)[]): string | null {
  if (process.getuid?.() !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), "holdfast-disk-"));
  parts.push(() => rmSync(folder, { recursive: true, force: true }));
  const args = ["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", folder];
  if (spawnSync("mount", args).status !== 0) return null;
  parts.push(() => spawnSync("umount", ["-l", folder]));
  return folder;
}
