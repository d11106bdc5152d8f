/** The default number of items in one turn. Steps of a few microseconds then take a few milliseconds. */
const ITEMS_PER_TURN = 1_000;

/** The last turn that was asked for. */
let lastTurn: Promise<void> = Promise.resolve();

/**
 * Resolves when the event loop has run the callbacks that were ready. Each call gets a turn of its own, because ten large
 * loads that start together would otherwise all continue in the same turn.
 */
export async function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(async () => await new Promise<void>((resolve) => void setImmediate(resolve)));
  await lastTurn;
}

/**
 * Calls `step` for each item, `itemsPerTurn` in each turn of the event loop. As many take one turn, so that small sets are
 * done at once. Returns false when `step` returned false, which ends the iteration.
 */
export async function forEachInTurns<T>(
  items: Iterable<T>,
  step: (item: T) => boolean | void,
  itemsPerTurn: number = ITEMS_PER_TURN,
): Promise<boolean> {
  let left = itemsPerTurn;
  for (const item of items) {
    if (left-- === 0) {
      await nextTurn();
      left = itemsPerTurn - 1;
    }
    if (step(item) === false) return false;
  }
  return true;
}
