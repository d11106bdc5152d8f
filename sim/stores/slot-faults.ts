import type { Clock } from "../../src/core/clock.ts";
import type { RedisDeployment } from "../redis/deployment.ts";
import type { RedisNode } from "../redis/node.ts";
import type { SlotMove } from "../redis/slot-move.ts";
import type { StoreFault } from "./store-fault.ts";

/** The steps of the faults of single servers that these faults use. */
interface ServerSteps {
  readonly deployment: RedisDeployment;
  readonly clock: Clock;
  readonly pick: (random: () => number) => RedisNode;
  /** Lets a replica take over if the primary still does not answer then. */
  readonly takeOverLater: (primary: RedisNode, random: () => number, which: "least") => void;
}

/** The changes among whose keys a fault chooses, because clients use these keys. */
const RECENT_CHANGES = 40;
/** The longest pause between two keys of a slot, ms. */
const KEY_PAUSE_MS = 1000;
const HURRIED_PAUSE_MS = 20;
/** After this time, a replica has the keys that its primary got, ms. */
const REPLICATED_MS = 200;
/** For how long the new primary writes without a replica, ms. It would refuse writes after ten seconds. */
const LONELY_MS = 6000;
/** For how long the new primary is frozen, ms. Its replica takes over meanwhile. */
const FROZEN_MS = 5000;
const nothing = () => {};

/** The faults of a cluster that moves a slot to another primary. */
export function slotFaults(steps: ServerSteps): StoreFault[] {
  return [
    {
      name: "the server that imports a slot fails",
      begin: (random) => failWhileImporting(steps, random),
    },
    {
      name: "a slot moves",
      begin(random) {
        const move = beginMove(steps, random, () => true);
        if (move === null) return nothing;
        let isOver = false;
        let isMoved = false;
        const finish = () => {
          if (isOver && isMoved) move.finish();
        };
        const pauseMs = () => (isOver ? HURRIED_PAUSE_MS : random() * KEY_PAUSE_MS);
        moveKeys(steps, move, pauseMs, () => {
          isMoved = true;
          finish();
        });
        return () => {
          isOver = true;
          finish();
        };
      },
    },
  ];
}

/**
 * The keys of a session move, then the replicas of their new primary cannot be reached, and at the end one of them takes
 * over. It lacks what the primary wrote meanwhile, which nobody acknowledged.
 */
function failWhileImporting(steps: ServerSteps, random: () => number): () => void {
  const { deployment, clock } = steps;
  const move = beginMove(steps, random, (key) => key.includes("{session:"));
  if (move === null) return nothing;
  let isOver = false;
  let isMoved = false;
  let lonely: RedisNode | null = null;
  const fail = () => {
    if (isOver) return;
    isOver = true;
    if (lonely === null) {
      if (isMoved) move.finish();
      return;
    }
    const node = lonely;
    const { links } = node;
    node.freeze();
    steps.takeOverLater(node, random, "least");
    clock.after(FROZEN_MS, () => {
      for (const link of links) link.resume("network");
      deployment.thaw(node);
      move.finish();
    });
  };
  const isolate = () => {
    if (isOver) return;
    lonely = move.target;
    for (const link of lonely.links) link.stop("network");
    clock.after(LONELY_MS, fail);
  };
  const pauseMs = () => HURRIED_PAUSE_MS;
  moveKeys(steps, move, pauseMs, () => {
    isMoved = true;
    if (isOver) move.finish();
    else clock.after(REPLICATED_MS, isolate);
  });
  return fail;
}

/** Begins to move the slot of a key that was changed a moment ago. */
function beginMove(
  { deployment, pick }: ServerSteps,
  random: () => number,
  isWanted: (key: string) => boolean,
): SlotMove | null {
  const source = pick(random);
  const others = deployment.primaries.filter((node) => node !== source);
  const target = others[Math.floor(random() * others.length)];
  const changes = source.changes.after(source.offset - RECENT_CHANGES);
  const keys = changes.flatMap((change) => change.keys ?? []).filter(isWanted);
  const key = keys[Math.floor(random() * keys.length)];
  return key === undefined || target === undefined ? null : deployment.beginMove(key, target);
}

function moveKeys({ clock }: ServerSteps, move: SlotMove, pauseMs: () => number, onMoved: () => void): void {
  const step = () => {
    if (move.moveKey()) clock.after(pauseMs(), step);
    else onMoved();
  };
  step();
}
