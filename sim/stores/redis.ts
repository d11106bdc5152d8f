import type { Store } from "../../src/stores/store.ts";
import { RedisDeployment, type DeploymentKind } from "../redis/deployment.ts";
import type { StoreLoss } from "../store-loss.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { ProcessContext, SimulatedProcess } from "../../src/testing/simulation/index.ts";
import type { PlannedUpgrade } from "../older/planned-upgrades.ts";
import { writeOlderRedisRecords } from "../older/redis-records.ts";
import { redisFaults } from "./redis-faults.ts";
import type { StoreFault } from "./store-fault.ts";
import type { StoreConditions } from "./simulated-database.ts";
import { openSimulatedRedisStore, type StoreProcess } from "./redis-store.ts";

/** Options of `SimulatedRedis`. */
export interface SimulatedRedisOptions {
  readonly kind: DeploymentKind;
  /** The true time. */
  readonly clock: Clock;
  readonly random: () => number;
  /** Replicas of each primary. Default 1. */
  readonly replicas?: number;
  /** Primaries of a cluster. Default 3. */
  readonly shards?: number;
  /** Replicas that must have a write before the store acknowledges it. Default: that of the store. */
  readonly confirmations?: number;
  readonly onLoss?: (loss: StoreLoss) => void;
}

/** The usual time of a message, of a change to a replica, and of news about another primary, ms. */
const LATENCY_MS = [0.05, 0.8] as const;
const LAG_MS = [0.1, 3] as const;
const NEWS_MS = [5, 400] as const;

/** Redis as the database of a simulated service. */
export class SimulatedRedis {
  readonly name: string;
  /** `stallMs` is how much longer a message takes at most. It can be changed while the world runs. */
  readonly conditions: StoreConditions = { stallMs: 0, refused: 0, lostAnswers: 0, silent: 0 };
  readonly deployment: RedisDeployment;
  /** The faults that its servers can have. */
  readonly faults: readonly StoreFault[];
  readonly #stores = new Set<Store>();
  readonly #confirmations: number | undefined;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(options: SimulatedRedisOptions) {
    const { kind, clock, random, replicas = 1, shards = 3, confirmations, onLoss } = options;
    const draw = (range: readonly [number, number]) => range[0] + random() * (range[1] - range[0]);
    this.name = `redis ${kind}`;
    this.deployment = new RedisDeployment({
      kind,
      clock,
      replicas,
      shards,
      appendfsync: "everysec",
      ...(onLoss !== undefined && { onLoss }),
      times: {
        latencyMs: () => draw(LATENCY_MS) + random() * this.conditions.stallMs,
        lagMs: () => draw(LAG_MS),
        demotionMs: () => draw(NEWS_MS),
        announcementMs: () => draw(NEWS_MS),
      },
    });
    this.faults = redisFaults(this.deployment, kind, clock);
    this.#confirmations = confirmations;
    this.#clock = clock;
    this.#random = random;
  }

  /** Opens the store as one life of a process sees it. */
  async connect(_process: SimulatedProcess | null, context: StoreProcess | ProcessContext): Promise<Store> {
    const settings = this.#confirmations === undefined ? {} : { replicas: this.#confirmations };
    const store = await openSimulatedRedisStore(this.deployment, context, settings);
    this.#stores.add(store);
    return store;
  }

  /** Changes the records on the primaries that run. */
  writeOlderRecords({ share }: PlannedUpgrade): void {
    const isWhole = share === 1;
    const isMixed = !isWhole || this.#random() < 0.5;
    // A script that replaces a key fails in the middle while the slot of the key moves.
    const chooses = (key: string) => !this.deployment.isMoving(key) && (isWhole || this.#random() < share);
    for (const { model, isUp, isFrozen, isPrimary, clockErrorMs } of this.deployment.primaries) {
      const accepts =
        isUp && !isFrozen && isPrimary && Object.values(model.refusals).every((one) => one === null);
      const now = this.#clock.now() + clockErrorMs;
      if (accepts) writeOlderRedisRecords(model, { now, isWhole, isMixed, chooses });
    }
  }

  /** Kills all servers. The returned function starts them again. */
  crash(): () => void {
    for (const node of this.deployment.nodes) node.crash({ power: false });
    return () => {
      for (const node of this.deployment.primaries) this.deployment.restart(node);
      for (const node of this.deployment.nodes) this.deployment.restart(node);
    };
  }

  /** A store with a command under way closes only while the world runs, so nothing waits for the stores. */
  async close(): Promise<void> {
    for (const store of this.#stores) void store.close();
    await Promise.resolve();
  }
}
