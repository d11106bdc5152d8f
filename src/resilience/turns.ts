import { awaitTurn, systemClock, type Clock } from "../core/clock.ts";

/** The default number of items in one turn. Steps of a few microseconds then take a few milliseconds. */
const ITEMS_PER_TURN = 1_000;

/** The last turn that was asked for. Clocks without turns of their own share the event loop. */
const lastTurns = new WeakMap<Clock, Promise<void>>();

/**
 * Resolves when the callbacks that were ready have run. Each call gets a turn of its own, because ten large loads that
 * start together would otherwise all continue in the same turn.
 */
export async function ownTurn(clock: Clock): Promise<void> {
  const loop = clock.turn === undefined ? systemClock : clock;
  const earlier = lastTurns.get(loop) ?? Promise.resolve();
  const turn = earlier.then(async () => await awaitTurn(clock));
  lastTurns.set(loop, turn);
  await turn;
}

/**
 * Calls `step` for each item, `itemsPerTurn` in each turn of the event loop. As many take one turn, so that small sets are
 * done at once. Returns false when `step` returned false, which ends the iteration.
 */
export async function forEachInTurns<T>(
  clock: Clock,
  items: Iterable<T>,
  step: (item: T) => boolean | void,
  itemsPerTurn: number = ITEMS_PER_TURN,
): Promise<boolean> {
  let left = itemsPerTurn;
  for (const item of items) {
    if (left-- === 0) {
      await ownTurn(clock);
      left = itemsPerTurn - 1;
    }
    if (step(item) === false) return false;
  }
  return true;
}
