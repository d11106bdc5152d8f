/** Concurrent commands, so that one subject's sessions neither fill the queue that all commands share nor block a turn. */
const CONCURRENCY = 64;

/** Calls `work` for every item, for a bounded number of them at once. The results have the order of the items. */
export async function mapConcurrently<I, O>(
  items: readonly I[],
  work: (item: I) => Promise<O>,
): Promise<O[]> {
  const results: O[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) {
      try {
        results[i] = await work(items[i] as I);
      } catch (error) {
        // The other workers stop after their current item.
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker));
  return results;
}
