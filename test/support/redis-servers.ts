import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasEnded, waitForExit } from "./child-exit.ts";
import { waitUntil, within } from "./deadline.ts";
import { freePort } from "./free-port.ts";

export { waitUntil } from "./deadline.ts";

/** The longest commands of the tests write a million entries on a busy machine. */
const REPLY_MS = 30_000;

/* Real servers on free ports of 127.0.0.1, each in a separate folder. The test that starts a server stops it. */

/** The reason to skip tests that need Redis. `false` when they run. On CI they always run, and fail without Redis. */
export const noRedis: string | false =
  spawnSync("redis-server", ["--version"]).status === 0 || process.env["CI"] === "true"
    ? false
    : "redis-server is not installed";

/** A server that a failed hook leaves behind neither keeps the test process alive nor outlives it. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A server that a test can kill, freeze and start again on the same data. */
export class RedisServer {
  readonly port: number;
  readonly #settings: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), "holdfast-redis-"));
  #process: ChildProcess | null = null;

  private constructor(port: number, settings: readonly string[]) {
    this.port = port;
    this.#settings = settings;
  }

  /** `settings` are lines of the configuration file. */
  static async start(
    settings: readonly string[] = [],
    kind: "server" | "sentinel" = "server",
  ): Promise<RedisServer> {
    const port = await freePort();
    const common = [`port ${port}`, "bind 127.0.0.1", 'save ""'];
    const aof = ["appendonly yes", "appendfsync always", "repl-diskless-sync-delay 0"];
    const server = new RedisServer(
      port,
      kind === "server" ? [...common, ...aof, ...settings] : [common[0] ?? "", ...settings],
    );
    writeFileSync(join(server.#folder, "redis.conf"), `${server.#settings.join("\n")}\n`);
    await server.up(kind);
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts the server on the data in its folder. Resolves when it accepts connections. */
  async up(kind: "server" | "sentinel" = "server"): Promise<void> {
    const args = [join(this.#folder, "redis.conf"), ...(kind === "sentinel" ? ["--sentinel"] : [])];
    const path = join(this.#folder, "output");
    const output = openSync(path, "a");
    const child = spawn("redis-server", args, { cwd: this.#folder, stdio: ["ignore", output, output] });
    closeSync(output);
    this.#process = child;
    child.unref();
    running.add(child);
    child.once("exit", () => running.delete(child));
    const answers = async () => {
      if (hasEnded(child))
        throw new Error(`${this.#name} ended:\n${readFileSync(path, "utf8").slice(-2000)}`);
      return (await this.cli("PING")) !== null;
    };
    await waitUntil(answers, `the start of ${this.#name}`);
  }

  /**
   * Sends one command over RESP on a new connection. Returns the reply as text. `null` when the server is down or closes
   * the connection. Rejects when a server that accepted the connection stays silent.
   */
  async cli(...command: string[]): Promise<string | null> {
    const socket = connect(this.port, "127.0.0.1");
    const words = command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    const reply = new Promise<string | null>((resolve) => {
      socket.on("connect", () => socket.write(`*${command.length}\r\n${words.join("")}`));
      socket.on("data", (data) => resolve(data.toString()));
      socket.on("error", () => resolve(null)).on("close", () => resolve(null));
    });
    try {
      return await within(reply, REPLY_MS, `a reply of ${this.#name} to ${command[0]}`);
    } finally {
      socket.destroy();
    }
  }

  get #name(): string {
    return `redis-server on ${this.port}`;
  }

  /** The commands that changed data, as the server wrote them to its append-only file. */
  written(): string {
    const folder = join(this.#folder, "appendonlydir");
    return readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), "latin1"))
      .join("");
  }

  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Kills the process at once, like a power failure. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return;
    child.kill("SIGKILL");
    await waitForExit(child, this.#name);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The settings of a service on the server. */
export function redisSettings({ url }: RedisServer): Record<string, string> {
  return { HOLDFAST_STORE: "redis", REDIS_URL: url, HOLDFAST_SECRET: "s".repeat(43) };
}

/** Resolves when the primary counts its replica. The replica reports the link a moment earlier. */
export async function waitForReplica(primary: RedisServer): Promise<void> {
  const counted = async () => ((await primary.cli("INFO", "replication")) ?? "").includes("state=online");
  await waitUntil(counted, "a replica in sync");
}

export interface RedisCluster {
  /** Three primaries, then their replicas. */
  readonly servers: readonly RedisServer[];
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

/** Starts three primaries with one replica each. `more` are lines of their configuration. */
export async function startCluster(more: readonly string[] = []): Promise<RedisCluster> {
  const settings = [
    ...more,
    "cluster-enabled yes",
    "cluster-node-timeout 1000",
    "cluster-replica-validity-factor 0",
  ];
  const servers = await Promise.all(Array.from({ length: 6 }, async () => await RedisServer.start(settings)));
  const [first] = servers as [RedisServer];
  const id = async (server: RedisServer) => (await server.cli("CLUSTER", "MYID"))?.split("\r\n")[1] ?? "";
  const ids = await Promise.all(servers.map(id));
  for (const [i, server] of servers.entries()) {
    await server.cli("CLUSTER", "SET-CONFIG-EPOCH", String(i + 1));
    if (i > 0) await server.cli("CLUSTER", "MEET", "127.0.0.1", String(first.port));
    const share = Math.ceil(16_384 / 3);
    const last = Math.min(16_383, (i + 1) * share - 1);
    if (i < 3) await server.cli("CLUSTER", "ADDSLOTSRANGE", String(i * share), String(last));
  }
  for (const [i, server] of servers.entries()) {
    if (i < 3) continue;
    const replicate = async () => (await server.cli("CLUSTER", "REPLICATE", ids[i - 3] ?? "")) === "+OK\r\n";
    await waitUntil(replicate, "a replica that knows its primary");
  }
  const ready = async (server: RedisServer) => {
    const info = (await server.cli("CLUSTER", "INFO")) ?? "";
    const replication = (await server.cli("INFO", "replication")) ?? "";
    const linked = /state=online|master_link_status:up/.test(replication);
    return linked && info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:6");
  };
  for (const server of servers) await waitUntil(async () => await ready(server), "a cluster that is ready");
  return {
    servers,
    urls: servers.map(({ url }) => url),
    stop: async () => void (await Promise.all(servers.map(async (server) => await server.stop()))),
  };
}

export interface RedisSentinels {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** The options for `redisStore`. */
  readonly options: { url: string; nodes: string[] };
  stop(): Promise<void>;
}

/** Starts a primary, its replica and three Sentinels that monitor them. `more` are lines of both configurations. */
export async function startSentinels(more: readonly string[] = []): Promise<RedisSentinels> {
  const primary = await RedisServer.start(more);
  const replica = await RedisServer.start([...more, `replicaof 127.0.0.1 ${primary.port}`]);
  await waitForReplica(primary);
  const settings = [
    `sentinel monitor main 127.0.0.1 ${primary.port} 2`,
    "sentinel down-after-milliseconds main 500",
    "sentinel failover-timeout main 3000",
  ];
  const start = async () => await RedisServer.start(settings, "sentinel");
  const sentinels = await Promise.all([start(), start(), start()]);
  const knows = async (sentinel: RedisServer) => {
    const said = (await sentinel.cli("SENTINEL", "MASTER", "main")) ?? "";
    return /num-slaves\r\n\$1\r\n1/.test(said) && /num-other-sentinels\r\n\$1\r\n2/.test(said);
  };
  for (const sentinel of sentinels)
    await waitUntil(async () => await knows(sentinel), "Sentinels that know all servers");
  const all = [...sentinels, replica, primary];
  return {
    primary,
    replica,
    options: { url: "redis://main", nodes: sentinels.map(({ url }) => url) },
    stop: async () => void (await Promise.all(all.map(async (server) => await server.stop()))),
  };
}
