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
  readonly takeOverLater: (
    primary: RedisNode,
    random: () => number,
    which?: "most" | "least",
    movedKeys?: "hidden",
  ) => void;
  /** Starts a crashed server. */
  readonly restart: (node: RedisNode, random: () => number) => void;
}

/** A move, and the steps after its keys. */
interface KeyMoves {
  /** Draws the pause before the next key, ms. */
  readonly pauseMs: () => number;
  readonly care?: "careless";
  /** Called when the source has no key left. The move is not finished then. */
  readonly onMoved: () => void;
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
/** The pause between two attempts of an operator to finish a move, ms. */
const FINISH_PAUSE_MS = 500;
const anyKey = () => true;
const nothing = () => {};

/** The faults of a cluster that moves a slot to another primary. */
export function slotFaults(steps: ServerSteps): StoreFault[] {
  return [
    { name: "the server that imports a slot fails", begin: (random) => failWhileImporting(steps, random) },
    { name: "a slot moves", begin: (random) => moveSlot(steps, random) },
    {
      name: "a server fails while a slot moves",
      begin: (random) => failWhileMoving(steps, random, random() < 0.5 ? "source" : "target"),
    },
    {
      name: "the primary of a moving slot is replaced",
      losesAcknowledged: true,
      begin: (random) => failWhileMoving(steps, random, "source", "hidden"),
    },
    {
      name: "a key that moves is lost",
      losesAcknowledged: true,
      begin: (random) => loseMovedKeys(steps, random),
    },
  ];
}

function moveSlot(steps: ServerSteps, random: () => number): () => void {
  const move = beginMove(steps, random, anyKey);
  if (move === null) return nothing;
  const stop = moveKeys(steps, move, { pauseMs: () => random() * KEY_PAUSE_MS, onMoved: nothing });
  return () => {
    stop();
    finish(steps, move);
  };
}

/**
 * The keys of a session move, then the replicas of their new primary cannot be reached, and at the end one of them takes
 * over. It lacks what the primary wrote meanwhile, which nobody acknowledged.
 */
function failWhileImporting(steps: ServerSteps, random: () => number): () => void {
  const { clock } = steps;
  const move = beginMove(steps, random, (key) => key.includes("{session:"));
  if (move === null) return nothing;
  let isOver = false;
  let lonely: RedisNode | null = null;
  const isolate = () => {
    if (isOver) return;
    lonely = move.target;
    for (const link of lonely.links) link.stop("network");
    clock.after(LONELY_MS, fail);
  };
  const onMoved = () => void clock.after(REPLICATED_MS, isolate);
  const stop = moveKeys(steps, move, { pauseMs: () => HURRIED_PAUSE_MS, onMoved });
  const fail = () => {
    if (isOver) return;
    isOver = true;
    stop();
    if (lonely === null) finish(steps, move);
    else replaceLonely(steps, random, move, lonely);
  };
  return fail;
}

/** While a slot moves, one of the two servers freezes or is killed. */
function failWhileMoving(
  steps: ServerSteps,
  random: () => number,
  which: "source" | "target",
  movedKeys?: "hidden",
): () => void {
  const { clock, deployment } = steps;
  const move = beginMove(steps, random, anyKey);
  if (move === null) return nothing;
  const stop = moveKeys(steps, move, { pauseMs: () => random() * KEY_PAUSE_MS, onMoved: nothing });
  let failed: RedisNode | null = null;
  const cancel = clock.after(REPLICATED_MS + random() * KEY_PAUSE_MS, () => {
    failed = move[which];
    if (random() < 0.5) failed.freeze();
    else failed.crash({ power: false });
    steps.takeOverLater(failed, random, "most", movedKeys);
  });
  return () => {
    cancel();
    stop();
    if (failed !== null) {
      deployment.thaw(failed);
      steps.restart(failed, random);
    }
    finish(steps, move);
  };
}

/** A slot moves to a server without a replica that can be reached, and then a replica takes over from that server. */
function loseMovedKeys(steps: ServerSteps, random: () => number): () => void {
  const move = beginMove(steps, random, anyKey);
  if (move === null) return nothing;
  const { target } = move;
  for (const link of target.links) link.stop("network");
  const stop = moveKeys(steps, move, { pauseMs: () => HURRIED_PAUSE_MS, care: "careless", onMoved: nothing });
  return () => {
    stop();
    replaceLonely(steps, random, move, target);
  };
}

/** A replica takes over from a server that its replicas cannot reach. Then all servers run and the move is ended. */
function replaceLonely(steps: ServerSteps, random: () => number, move: SlotMove, node: RedisNode): void {
  const { links } = node;
  node.freeze();
  steps.takeOverLater(node, random, "least");
  steps.clock.after(FROZEN_MS, () => {
    for (const link of links) link.resume("network");
    steps.deployment.thaw(node);
    finish(steps, move);
  });
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

/** Moves one key after the other. The returned function leaves the others where they are. */
function moveKeys({ clock }: ServerSteps, move: SlotMove, { pauseMs, care, onMoved }: KeyMoves): () => void {
  let isStopped = false;
  const step = () => {
    if (isStopped) return;
    if (move.moveKey(care)) clock.after(pauseMs(), step);
    else onMoved();
  };
  step();
  return () => {
    isStopped = true;
  };
}

/** Ends the move as soon as both servers answer. */
function finish(steps: ServerSteps, move: SlotMove): void {
  if (!move.finish()) steps.clock.after(FINISH_PAUSE_MS, () => finish(steps, move));
}
