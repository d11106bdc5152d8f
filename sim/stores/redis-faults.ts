import type { Clock } from "../../src/core/clock.ts";
import { MAX_SYNC_MS } from "../redis/append-only-file.ts";
import type { DeploymentKind, RedisDeployment } from "../redis/deployment.ts";
import type { RedisNode } from "../redis/node.ts";
import { slotFaults } from "./slot-faults.ts";
import type { StoreFault } from "./store-fault.ts";

/** The time after which a replica takes over from a primary that does not answer, ms. */
const TAKEOVER_MS = [300, 4000] as const;
/** For how long a server loads its data after a restart, at most, ms. */
const LOADING_MS = 2000;
/** For how long a primary is frozen after a replica lagged behind, ms. The replica takes over meanwhile. */
const FROZEN_MS = 5000;
/** The name of the fault in which the clock of a server is wrong. */
export const WRONG_CLOCK = "the clock of a server is wrong";
/** How far the clock of a server is wrong, at most. */
export const CLOCK_ERROR_MS = 120_000;
/** The longest pause between two keys that a server deletes, ms. */
const EVICTION_PAUSE_MS = 1000;
const POLICY = "maxmemory-policy";
const LOADING = "LOADING Redis is loading the dataset in memory";
const NO_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
const nothing = () => {};

/** The faults of the servers of a deployment. */
export function redisFaults(
  deployment: RedisDeployment,
  kind: DeploymentKind,
  clock: Clock,
): readonly StoreFault[] {
  const parts = new FaultParts(deployment, kind, clock);
  const common = [...serverFaults(parts), ...stateFaults(parts), eviction(parts)];
  if (kind === "single") return [...common, powerFailure(parts)];
  if (kind === "sentinel") return [...common, ...replicaFaults(parts)];
  const slots = slotFaults({
    deployment,
    clock,
    pick: (random) => parts.pick(random),
    takeOverLater: (...args) => parts.takeOverLater(...args),
    restart: (node, random) => parts.restart(node, random),
  });
  return [...common, ...replicaFaults(parts), lostCoverage(parts), ...slots];
}

/** The steps that several faults share. */
class FaultParts {
  readonly deployment: RedisDeployment;
  readonly clock: Clock;
  readonly #kind: DeploymentKind;

  constructor(deployment: RedisDeployment, kind: DeploymentKind, clock: Clock) {
    this.deployment = deployment;
    this.#kind = kind;
    this.clock = clock;
  }

  pick(random: () => number): RedisNode {
    const { primaries } = this.deployment;
    return primaries[Math.floor(random() * primaries.length)] as RedisNode;
  }

  /** Lets a replica take over if the primary still does not answer then. */
  takeOverLater(
    primary: RedisNode,
    random: () => number,
    which: "most" | "least" = "most",
    movedKeys?: "hidden",
  ): void {
    if (this.#kind === "single") return;
    const { deployment } = this;
    const [min, max] = TAKEOVER_MS;
    this.clock.after(min + random() * (max - min), () => {
      const answers = primary.isUp && !primary.isFrozen && !deployment.path.isSilent(primary.name);
      if (!answers) deployment.failOver(primary, which, movedKeys);
    });
  }

  /** Starts a crashed server, which loads its data for a while. */
  restart(node: RedisNode, random: () => number): void {
    if (node.isUp) return;
    this.deployment.restart(node);
    node.model.refusals.all = LOADING;
    this.clock.after(random() * LOADING_MS, () => {
      node.model.refusals.all = null;
    });
  }
}

/** Faults after which a replica may take over. */
function serverFaults(parts: FaultParts): StoreFault[] {
  const { deployment } = parts;
  return [
    {
      name: "a server freezes",
      begin(random) {
        const node = parts.pick(random);
        node.freeze();
        parts.takeOverLater(node, random);
        return () => deployment.thaw(node);
      },
    },
    {
      name: "a server is killed",
      begin(random) {
        const node = parts.pick(random);
        node.crash({ power: false });
        parts.takeOverLater(node, random);
        return () => parts.restart(node, random);
      },
    },
    {
      name: "a server cannot be reached",
      begin(random) {
        const node = parts.pick(random);
        deployment.path.silence(node.name);
        for (const link of node.links) link.stop("network");
        parts.takeOverLater(node, random);
        return () => {
          for (const link of node.links) link.resume("network");
          deployment.restore(node);
        };
      },
    },
  ];
}

/** Faults of a server that continues to run. */
function stateFaults(parts: FaultParts): StoreFault[] {
  const { deployment } = parts;
  return [
    {
      name: "a server has no memory",
      begin(random) {
        const node = parts.pick(random);
        node.model.refusals.growth = NO_MEMORY;
        return () => {
          node.model.refusals.growth = null;
        };
      },
    },
    {
      name: WRONG_CLOCK,
      begin(random) {
        const node = parts.pick(random);
        node.clockErrorMs = Math.round((random() * 2 - 1) * CLOCK_ERROR_MS);
        return () => {
          node.clockErrorMs = 0;
        };
      },
    },
    {
      name: "all connections break",
      begin() {
        for (const node of deployment.nodes) node.closeConnections(new Error("read ECONNRESET"));
        return nothing;
      },
    },
    {
      name: "the servers forget their scripts",
      begin() {
        for (const node of deployment.nodes) node.model.forgetScripts();
        return nothing;
      },
    },
  ];
}

function powerFailure(parts: FaultParts): StoreFault {
  return {
    name: "the power of a server fails",
    losesAcknowledged: true,
    begin(random) {
      const node = parts.pick(random);
      parts.deployment.losePower(node, random() * MAX_SYNC_MS);
      return () => parts.restart(node, random);
    },
  };
}

/** An operator lets a full server delete keys, although the store refuses to open on such a server. */
function eviction(parts: FaultParts): StoreFault {
  return {
    name: "a server evicts keys",
    losesAcknowledged: true,
    begin(random) {
      const node = parts.pick(random);
      const policy = random() < 0.5 ? "allkeys-lru" : "volatile-ttl";
      node.model.configure(POLICY, policy);
      let isOver = false;
      const evictNext = () => {
        if (isOver) return;
        parts.deployment.evict(node, policy);
        parts.clock.after(random() * EVICTION_PAUSE_MS, evictNext);
      };
      evictNext();
      return () => {
        isOver = true;
        node.model.configure(POLICY, "noeviction");
      };
    },
  };
}

function replicaFaults(parts: FaultParts): StoreFault[] {
  return [
    {
      name: "replicas cannot be reached",
      begin(random) {
        const { links } = parts.pick(random);
        for (const link of links) link.stop("network");
        return () => {
          for (const link of links) link.resume("network");
        };
      },
    },
    {
      name: "a replica without the last writes takes over",
      losesAcknowledged: true,
      begin(random) {
        const node = parts.pick(random);
        const link = node.links[0];
        link?.stop("network");
        return () => {
          node.freeze();
          parts.takeOverLater(node, random, "least");
          parts.clock.after(FROZEN_MS, () => {
            link?.resume("network");
            parts.deployment.thaw(node);
          });
        };
      },
    },
  ];
}

function lostCoverage({ deployment }: FaultParts): StoreFault {
  return {
    name: "some slots of the cluster have no server",
    begin() {
      deployment.isCoverageLost = true;
      return () => {
        deployment.isCoverageLost = false;
      };
    },
  };
}
