import type { Clock } from "../../src/core/clock.ts";
import type { RedisClient, RedisClientOptions } from "../../src/stores/redis/client.ts";
import type { ConnectRedis, RedisEnvironment } from "../../src/stores/redis/environment.ts";
import { later } from "../later.ts";
import { deletedKey, type LostChange, type StoreLoss } from "../store-loss.ts";
import { gateClient, type ClientProcess } from "./client-process.ts";
import { connectCluster } from "./cluster-client.ts";
import type { EvictionPolicy } from "./keyspace.ts";
import { NetworkPath } from "./network-path.ts";
import { RedisNode } from "./node.ts";
import { ScriptEngine } from "./script-engine.ts";
import { connectSingle } from "./single-client.ts";
import { SlotMove } from "./slot-move.ts";
import { slotOf, SlotTable, type KeyedCommand } from "./slot-table.ts";

export type DeploymentKind = "single" | "sentinel" | "cluster";

/** Times of a deployment, ms. Each function draws one. */
interface DeploymentTimes {
  readonly latencyMs: () => number;
  /** The time of a change from a primary to its replica. */
  readonly lagMs: () => number;
  /** The time after which a primary that was replaced learns it, once it runs and is reachable. */
  readonly demotionMs: () => number;
  /** The time after which clients learn of another primary from Sentinels. */
  readonly announcementMs: () => number;
}

/** How servers are arranged. */
export interface DeploymentOptions {
  readonly kind: DeploymentKind;
  /** The true time. */
  readonly clock: Clock;
  readonly times: DeploymentTimes;
  readonly appendfsync: "always" | "everysec";
  /** Replicas of each primary, and primaries of a cluster. */
  readonly replicas: number;
  readonly shards: number;
  /** Called when servers have lost changes, whether these were acknowledged or not. */
  readonly onLoss?: (loss: StoreLoss) => void;
}

/** One primary and its replicas. */
interface Shard {
  readonly nodes: readonly RedisNode[];
  primary: RedisNode;
}

const LOST = "Socket closed unexpectedly";

/** Redis servers, and the clients that connect to them. */
export class RedisDeployment {
  readonly path: NetworkPath;
  /** Whether the servers of a cluster refuse all keys, because some slots have no primary. */
  isCoverageLost = false;
  readonly #options: DeploymentOptions;
  readonly #shards: Shard[];
  readonly #slots: SlotTable;
  readonly #announced = new Set<() => void>();
  /** Primaries that were replaced and do not know it, with what the other server had when it took over, and when. */
  readonly #replaced = new Map<RedisNode, { readonly offset: number; readonly at: number }>();

  constructor(options: DeploymentOptions) {
    const { clock, times, shards, kind } = options;
    this.#options = options;
    this.path = new NetworkPath(clock, times.latencyMs);
    const engine = new ScriptEngine();
    this.#slots = new SlotTable(kind === "cluster" ? shards : 1);
    this.#shards = Array.from({ length: kind === "cluster" ? shards : 1 }, (_, shard) =>
      this.#createShard(shard, engine),
    );
  }

  get nodes(): RedisNode[] {
    return this.#shards.flatMap(({ nodes }) => nodes);
  }

  get primaries(): RedisNode[] {
    return this.#shards.map(({ primary }) => primary);
  }

  /** The address options of a store. */
  get address(): { url: string } | { cluster: string[] } | { sentinel: { url: string; nodes: string[] } } {
    const urls = this.nodes.map(({ name }) => `redis://${name}`);
    if (this.#options.kind === "cluster") return { cluster: urls };
    if (this.#options.kind === "single") return { url: urls[0] ?? "" };
    return { sentinel: { url: "redis://main", nodes: ["redis://sentinel:26379"] } };
  }

  /** The environment of a store in the process. */
  environmentFor(process: ClientProcess): RedisEnvironment {
    const connect: ConnectRedis = async (_address, options, signal) =>
      gateClient(await process.gate(this.#connect(process, options, signal)), process);
    return { loadConnect: async () => await Promise.resolve(connect), networkClock: process.clock };
  }

  async #connect(
    process: ClientProcess,
    { onInterruption, random, connectTimeoutMs }: RedisClientOptions,
    signal: AbortSignal,
  ): Promise<RedisClient> {
    const { clock } = process;
    const { path } = this;
    const isAlive = () => process.isAlive;
    const report = (error: Error) => {
      if (process.isAlive) onInterruption(error);
    };
    const common = { clock, random, isAlive, path, connectTimeoutMs, onInterruption: report };
    if (this.#options.kind === "cluster") {
      const shards = this.#shards.length;
      const primaryOf = (shard: number) => this.#shard(shard).primary;
      const readOwners = () => this.#slots.snapshot();
      const serverAt = (address: string) => this.nodes.find(({ name }) => name === address) as RedisNode;
      return await connectCluster({ ...common, shards, primaryOf, readOwners, serverAt }, signal);
    }
    const onAnnounced = (listener: () => void) => {
      this.#announced.add(listener);
      return () => void this.#announced.delete(listener);
    };
    const primary = () => this.#shard(0).primary;
    const waits = this.#options.kind === "sentinel";
    return await connectSingle({ ...common, primary, onAnnounced, waits }, signal);
  }

  /**
   * Lets a replica take over. `most` is the one that has most changes. Returns false when no replica can. A primary that
   * gives a slot away is replaced only with `hidden`, because its replica hides the keys that have moved.
   */
  failOver(primary: RedisNode, which: "most" | "least" = "most", movedKeys?: "hidden"): boolean {
    const shard = this.#shardWith(primary);
    // A primary that was replaced and does not know it yet cannot take over.
    const replicas = shard.nodes.filter((node) => !node.isPrimary && this.#isReachable(node));
    const sorted = replicas.toSorted((a, b) => b.offset - a.offset);
    const next = which === "most" ? sorted[0] : sorted.at(-1);
    if (shard.primary !== primary || next === undefined) return false;
    const given = this.#slots.givenBy(this.#shards.indexOf(shard));
    if (given.length > 0 && movedKeys === undefined) return false;
    this.#reportHidden(given, next);
    next.promote();
    shard.primary = next;
    this.#slots.replace(primary.name);
    for (const other of replicas) if (other !== next) this.#follow(other, next);
    this.#replaced.set(primary, { offset: next.offset, at: this.#options.clock.now() });
    this.#demoteLater(primary);
    const { clock, times } = this.#options;
    later(clock, times.announcementMs(), () => {
      for (const listener of this.#announced) listener();
    });
    return true;
  }

  /** Begins to move the slot of the key to another primary. Returns `null` when it cannot move there. */
  beginMove(key: string, to: RedisNode): SlotMove | null {
    return SlotMove.begin(key, this.#shards.indexOf(this.#shardWith(to)), {
      slots: this.#slots,
      primaryOf: (shard) => this.#shard(shard).primary,
      isReachable: (node) => this.#isReachable(node),
    });
  }

  isMoving(key: string): boolean {
    return this.#slots.isMoving(slotOf(key));
  }

  thaw(node: RedisNode): void {
    node.thaw();
    this.#demoteLater(node);
  }

  /** Ends the silence of a server. */
  restore(node: RedisNode): void {
    this.path.restore(node.name);
    this.#demoteLater(node);
  }

  /** A primary deletes one key to free memory. */
  evict(node: RedisNode, policy: EvictionPolicy): void {
    if (!node.isPrimary || !this.#isReachable(node)) return;
    const key = node.model.evict(policy);
    if (key === null) return;
    const at = this.#options.clock.now();
    this.#options.onLoss?.({ since: at, isRemembered: false, changes: [deletedKey(at, key)] });
  }

  /** The machine of a server fails, while the last sync of its file had run for `syncMs`. */
  losePower(node: RedisNode, syncMs: number): void {
    this.#report(this.#options.clock.now(), node.crash({ power: true, syncMs }));
  }

  /** Starts a crashed server. A primary that was not replaced overwrites its replicas. */
  restart(node: RedisNode): void {
    if (node.isUp) return;
    const shard = this.#shardWith(node);
    this.#reportReplaced(node);
    node.restart();
    if (shard.primary !== node) this.#follow(node, shard.primary);
    else for (const other of shard.nodes) if (other !== node && other.isUp) this.#follow(other, node);
  }

  #follow(node: RedisNode, primary: RedisNode): void {
    node.follow(primary);
    this.#slots.forget(node.name);
  }

  #createShard(shard: number, engine: ScriptEngine): Shard {
    const { kind, clock, times, replicas, appendfsync } = this.#options;
    const settings = {
      appendonly: "yes",
      appendfsync,
      "maxmemory-policy": "noeviction",
      "min-replicas-to-write": kind === "single" ? "0" : "1",
    };
    const nodes = Array.from({ length: kind === "single" ? 1 : 1 + replicas }, (_, i) => {
      const name = `10.0.${shard}.${i + 1}:6379`;
      const cluster = kind === "cluster" ? this.#createView() : null;
      return new RedisNode({ name, clock, engine, settings, lagMs: times.lagMs, cluster });
    });
    const [primary, ...others] = nodes as [RedisNode, ...RedisNode[]];
    for (const other of others) other.follow(primary);
    return { nodes, primary };
  }

  #createView() {
    return {
      describe: () => this.#describe(),
      primaryOf: (replica: string) => this.#shardNamed(replica).primary.name,
      isDown: () => this.isCoverageLost,
      assertServed: (primary: string, command: KeyedCommand) => {
        const shard = this.#shards.indexOf(this.#shardNamed(primary));
        this.#slots.assertServed(
          { name: primary, shard },
          command,
          (other) => this.#shard(other).primary.name,
        );
      },
    };
  }

  /** As `CLUSTER NODES` does. */
  #describe(): string {
    const lines = this.#shards.flatMap(({ nodes, primary }, shard) =>
      nodes.map((node) => {
        const start = `${node.name} ${node.name}@16379`;
        return node === primary
          ? `${start} master - 0 0 1 connected ${this.#slots.describe(shard)}`
          : `${start} slave ${primary.name} 0 0 1 connected`;
      }),
    );
    return `${lines.join("\n")}\n`;
  }

  #demoteLater(node: RedisNode): void {
    const { clock, times, kind } = this.#options;
    later(clock, times.demotionMs(), () => {
      if (!this.#replaced.has(node) || !this.#isReachable(node)) return;
      this.#reportReplaced(node);
      this.#follow(node, this.#shardWith(node).primary);
      if (kind === "sentinel") node.closeConnections(new Error(LOST));
    });
  }

  /** A primary that was replaced gives up the changes that the other server lacked. */
  #reportReplaced(node: RedisNode): void {
    const replaced = this.#replaced.get(node);
    if (replaced === undefined) return;
    this.#replaced.delete(node);
    this.#report(replaced.at, node.changes.after(replaced.offset));
  }

  /** Reports the keys that have moved, which the next primary hides. It may have older values of them. */
  #reportHidden(slots: readonly number[], next: RedisNode): void {
    const at = this.#options.clock.now();
    const others = this.primaries.filter(({ name }) => this.#shardNamed(name) !== this.#shardWith(next));
    const moved = others.flatMap(({ model }) =>
      model.keys.names().filter((key) => slots.includes(slotOf(key))),
    );
    const changes = moved.map((key) => (next.model.has(key) ? { at, keys: [key] } : deletedKey(at, key)));
    if (changes.length > 0) this.#options.onLoss?.({ since: at, isRemembered: false, changes });
  }

  #report(since: number, changes: readonly LostChange[]): void {
    if (changes.length > 0) this.#options.onLoss?.({ since, isRemembered: true, changes });
  }

  #isReachable(node: RedisNode): boolean {
    return node.isUp && !node.isFrozen && !this.path.isSilent(node.name);
  }

  #shard(index: number): Shard {
    return this.#shards[index] as Shard;
  }

  #shardWith(node: RedisNode): Shard {
    return this.#shardNamed(node.name);
  }

  #shardNamed(name: string): Shard {
    return this.#shards.find(({ nodes }) => nodes.some((node) => node.name === name)) as Shard;
  }
}
