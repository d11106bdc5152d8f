import { systemClock, type Clock } from "../core/clock.ts";
import { isHoldfastError } from "../core/errors.ts";
import { readOptions } from "../core/options.ts";
import { withDeadline } from "../resilience/deadline.ts";
import type { RedisSettings } from "../server/redis-settings.ts";
import { readRedisOptions } from "../server/store/redis-access.ts";
import { describeAddress, readAddress, selectAddress } from "../stores/redis/address.ts";
import type { RedisConnection } from "../stores/redis/connection.ts";
import { defaultReplicas, readDurability } from "../stores/redis/durability.ts";
import { manifestKeys } from "../stores/redis/manifest.ts";
import { openConnection } from "../stores/redis/open-connection.ts";
import { DEFAULT_PREFIX, redisStoreOptionTable } from "../stores/redis/options.ts";
import { findDeniedCommands } from "./redis-permissions.ts";
import type { StoreProbe } from "./store-probe.ts";

/** The lines of `INFO` and `CONFIG GET` by their names, for one primary. */
type ServerFacts = ReadonlyMap<string, string>;

/** The answers of the servers. */
export interface RedisAnswers {
  readonly servers: readonly ServerFacts[];
  /** The median time of a `PING`, ms. */
  readonly pingMs: number;
  /** Why the servers are less durable than the settings require. `null` when they are durable enough. */
  readonly durabilityProblem: string | null;
  readonly durability: string;
  /** How many replicas must have a write. */
  readonly replicas: number;
  /** The lines of `CLUSTER INFO`. `null` without a cluster. */
  readonly cluster: ServerFacts | null;
  /** The slots whose move to another server has begun and has not ended. */
  readonly openSlots: readonly string[];
  /** The commands that this user may not run. `null` when the server cannot tell, before version 7. */
  readonly denied: readonly string[] | null;
  readonly markers: ReadonlyMap<string, string>;
  /** How far this machine's clock is ahead, and by how much that may be wrong, ms. */
  readonly clock: { readonly aheadMs: number; readonly uncertaintyMs: number };
}

export interface RedisReading {
  /** The address, without credentials. */
  readonly description: string;
  readonly answers: RedisAnswers | null;
  /** The reason for missing answers. `null` when the servers answered. */
  readonly failure: string | null;
}

const OPEN_TIMEOUT_MS = 2500;
const COMMAND_TIMEOUT_MS = 1000;
/** The reading must end before the checks do, so that each check can say why it lacks the store. */
const READ_TIMEOUT_MS = 4000;
const PINGS = 5;

/** Asks the Redis of the service over the same kind of connection, and writes nothing. */
export class RedisProbe implements StoreProbe {
  readonly #settings: RedisSettings;
  readonly #clock: Clock;
  #reading: Promise<RedisReading> | null = null;

  constructor(settings: RedisSettings, clock: Clock = systemClock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Never rejects. */
  async read(): Promise<RedisReading> {
    return await (this.#reading ??= this.#read());
  }

  async markers(): Promise<ReadonlyMap<string, string> | null> {
    return (await this.read()).answers?.markers ?? null;
  }

  async #read(): Promise<RedisReading> {
    const description = `redis ${describeAddress(readAddress(this.#settings, "REDIS_URL"))}`;
    try {
      const work = async () => await this.#ask();
      return await withDeadline(this.#clock, description, READ_TIMEOUT_MS, work);
    } catch (error) {
      const late = `no answer within ${READ_TIMEOUT_MS / 1000} s`;
      if (isHoldfastError(error, "timeout")) return { description, answers: null, failure: late };
      if (!isHoldfastError(error)) throw error;
      return { description, answers: null, failure: error.message };
    }
  }

  async #ask(): Promise<RedisReading> {
    const options = readOptions("REDIS_URL", await readRedisOptions(this.#settings), redisStoreOptionTable);
    const address = selectAddress("REDIS_URL", options);
    const description = `redis ${describeAddress(address)}`;
    const connection = await openConnection({
      address,
      access: options,
      description,
      clock: this.#clock,
      random: Math.random,
      virtual: false,
      openTimeoutMs: OPEN_TIMEOUT_MS,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      replicas: 0,
    });
    try {
      const replicas = options.replicas ?? (await defaultReplicas(connection, address, description));
      const requirement = { durability: options.durability, replicas };
      const answers = await ask(connection, requirement, address.kind === "cluster", description);
      return { description, answers, failure: null };
    } finally {
      await connection.close();
    }
  }
}

async function ask(
  connection: RedisConnection,
  requirement: Parameters<typeof readDurability>[1],
  isCluster: boolean,
  description: string,
): Promise<RedisAnswers> {
  const key = manifestKeys(DEFAULT_PREFIX)[0] ?? "";
  const clock = await readTime(connection);
  const [servers, pingMs, durability, cluster, openSlots, denied, markers] = await Promise.all([
    readServers(connection),
    measurePing(connection),
    readDurability(connection, requirement),
    isCluster ? readFirst(connection, ["CLUSTER", "INFO"]) : null,
    isCluster ? readOpenSlots(connection) : [],
    findDeniedCommands(connection, key, description, isCluster),
    readMarkers(connection, key),
  ]);
  return {
    servers,
    pingMs,
    durabilityProblem: durability.problem,
    durability: durability.summary,
    replicas: requirement.replicas,
    cluster,
    openSlots,
    denied,
    markers,
    clock,
  };
}

async function readServers(connection: RedisConnection): Promise<ServerFacts[]> {
  const [infos, minimum] = await Promise.all([
    connection.sendToPrimaries(["INFO"]),
    // Managed servers refuse CONFIG.
    connection.sendToPrimaries(["CONFIG", "GET", "min-replicas-to-write"]).catch(() => []),
  ]);
  return infos.map((text, i) => {
    const facts = parseLines(String(text));
    const pair = minimum[i];
    if (Array.isArray(pair) && pair.length === 2) facts.set(String(pair[0]), String(pair[1]));
    return facts;
  });
}

async function readFirst(connection: RedisConnection, command: readonly string[]): Promise<ServerFacts> {
  const [text] = await connection.sendToPrimaries(command);
  return parseLines(String(text));
}

/** Each server shows the open slots of its own line only: `[93->-id]` when it gives the slot away, and `[93-<-id]`. */
async function readOpenSlots(connection: RedisConnection): Promise<string[]> {
  const lists = await connection.sendToPrimaries(["CLUSTER", "NODES"]);
  const slots = lists.flatMap((text) =>
    [...String(text).matchAll(/\[(\d+)-[<>]-/g)].map(([, slot = ""]) => slot),
  );
  return [...new Set(slots)];
}

function parseLines(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const colon = line.indexOf(":");
    return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
  });
  return new Map(lines);
}

async function measurePing(connection: RedisConnection): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const begin = systemClock.monotonic();
    await connection.sendToPrimaries(["PING"]);
    times.push(systemClock.monotonic() - begin);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(PINGS / 2)] ?? 0;
}

async function readTime(connection: RedisConnection): Promise<RedisAnswers["clock"]> {
  const before = systemClock.now();
  const [reply] = (await connection.sendToPrimaries(["TIME"])) as [readonly [string, string]];
  const after = systemClock.now();
  const serverMs = Number(reply[0]) * 1000 + Number(reply[1]) / 1000;
  return { aheadMs: (before + after) / 2 - serverMs, uncertaintyMs: (after - before) / 2 };
}

/** The hash of the store has one field for each marker. */
async function readMarkers(connection: RedisConnection, key: string): Promise<Map<string, string>> {
  const names = ["id", "identity", "secret", "filling"];
  const values = (await connection.send(
    key,
    ["HMGET", key, ...names.map((name) => `marker:${name}`)],
    0,
  )) as (string | null)[];
  return new Map(names.flatMap((name, i) => (values[i] == null ? [] : [[name, values[i]] as const])));
}
