import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { freePort } from "../free-port.ts";
import type { RedisServer } from "../redis-servers.ts";
import type { UnresponsiveProxy } from "../unresponsive-proxy.ts";
import type { Deployment } from "./deployment.ts";
import { LoginFlood } from "./login-flood.ts";
import type { Kind } from "./users.ts";

/** A fault of the parts around the service, or a burden on it. */
export interface Fault {
  readonly name: string;
  readonly inject: () => unknown;
  readonly repair: () => unknown;
  /** The kinds of requests of which at least one must fail. Otherwise the fault was none. */
  readonly affected?: readonly Kind[];
  /** The kinds that health must not call well, although these users may get their answers. */
  readonly noticed?: readonly Kind[];
  /** The longest time for which the fault stays the same. Default: no bound. */
  readonly maxRounds?: number;
}

const HOUR_MS = 3_600_000;
/** A guard believes a clock that stays ahead for a minute, because it can only refuse tokens. */
const CLOCK_ROUNDS = 40;
/** After this many rounds, the guard of the cut link calls the view of revocations too old on every route. */
const STALE_ROUNDS = 40;

const issuing: readonly Kind[] = ["login", "refresh"];

/** Faults of the provider and its authority. */
export function providerFaults({ provider }: Deployment): Fault[] {
  const repair = () => provider.restore("all");
  const affected: readonly Kind[] = ["providerTokens"];
  return [
    {
      name: "new keys that cannot be fetched",
      // The authority may vouch for a token whose key cannot be fetched, so users need not notice this fault.
      async inject() {
        provider.fault("jwks", { status: 503 });
        await provider.rotate();
      },
      repair,
    },
    {
      name: "an authority that hangs",
      inject: () => provider.fault("introspection", { hang: true }),
      repair,
      affected,
    },
    {
      name: "an authority that refuses the guard",
      inject: () => provider.fault("introspection", { status: 401 }),
      repair,
      affected,
    },
  ];
}

/** The clock of the machine is set, and set right again. */
export function clockFaults({ moveClock }: Deployment): Fault[] {
  const repair = () => moveClock(0);
  return [
    {
      name: "a clock that is set an hour ahead",
      inject: () => moveClock(HOUR_MS),
      repair,
      affected: ["providerTokens"],
      maxRounds: CLOCK_ROUNDS,
    },
    {
      name: "a clock that is set an hour back",
      inject: () => moveClock(-HOUR_MS),
      repair,
      noticed: ["ownTokens", "providerTokens"],
      maxRounds: CLOCK_ROUNDS,
    },
  ];
}

export function floodFault({ issuer }: Deployment): Fault {
  const flood = new LoginFlood(issuer.url);
  return {
    name: "a flood of logins from many networks",
    inject: () => flood.start(),
    repair: async () => await flood.stop(),
    noticed: ["login"],
  };
}

/** Faults of the SQLite file. */
export function sqliteFaults({ dataDir, issuer }: Deployment): Fault[] {
  const limit = (bytes: number | "unlimited") => {
    const { status, stderr } = spawnSync("prlimit", [`--pid=${issuer.pid}`, `--fsize=${bytes}:unlimited`]);
    if (status !== 0) throw new Error(`prlimit: ${stderr?.toString()}`);
  };
  let other: DatabaseSync | null = null;
  return [
    {
      name: "a locked file",
      inject() {
        other = new DatabaseSync(join(dataDir, "holdfast.db"));
        other.exec("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE");
      },
      repair() {
        other?.exec("ROLLBACK");
        other?.close();
      },
      affected: issuing,
    },
    {
      name: "a disk that takes no byte more",
      inject: () => limit(0),
      repair: () => limit("unlimited"),
      affected: issuing,
    },
  ];
}

/** A small file system on which files of any size can be written, until it is full. It needs root. */
export function fullDiskFault({ dataDir }: Deployment): Fault {
  const filler = join(dataDir, "filler");
  return {
    name: "a full disk",
    inject() {
      for (let i = 0, size = 1 << 20; size >= 512; i++) {
        try {
          writeFileSync(`${filler}${i}`, Buffer.alloc(size));
        } catch {
          size >>= 1;
        }
      }
    },
    repair: () => spawnSync("sh", ["-c", `rm -f '${filler}'*`]),
  };
}

export function redisFaults(redis: RedisServer): Fault[] {
  const run =
    (...command: string[]) =>
    async () =>
      await redis.cli(...command);
  return [
    {
      name: "a Redis that is full",
      inject: run("CONFIG", "SET", "maxmemory", "1"),
      repair: run("CONFIG", "SET", "maxmemory", "0"),
      affected: issuing,
    },
    { name: "a frozen Redis", inject: () => redis.freeze(), repair: () => redis.thaw(), affected: issuing },
    {
      name: "a Redis that is down",
      inject: async () => await redis.kill(),
      repair: async () => await redis.up(),
      affected: issuing,
    },
    {
      name: "a Redis that waits for replicas",
      inject: run("CONFIG", "SET", "min-replicas-to-write", "1"),
      repair: run("CONFIG", "SET", "min-replicas-to-write", "0"),
      affected: issuing,
    },
    {
      name: "a Redis that is a read-only replica",
      inject: async () => await redis.cli("REPLICAOF", "127.0.0.1", String(await freePort())),
      repair: run("REPLICAOF", "NO", "ONE"),
      affected: issuing,
    },
  ];
}

/** The link between the gateway and Redis, through which it reads the revocations. */
export function cutFeedFault(link: UnresponsiveProxy): Fault {
  return {
    name: "a revocation feed that is cut",
    inject: () => link.mute(""),
    repair() {
      link.unmute();
      link.cut();
    },
    affected: ["ownTokens"],
    maxRounds: STALE_ROUNDS,
  };
}
