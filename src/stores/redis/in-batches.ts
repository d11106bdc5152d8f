/** Concurrent commands, so that one subject's sessions neither fill the queue that all commands share nor block a turn. */
const BATCH = 200;

/** Calls `work` for every item, a batch at a time. */
export async function mapInBatches<I, O>(items: readonly I[], work: (item: I) => Promise<O>): Promise<O[]> {
  const results: O[] = [];
  for (let i = 0; i < items.length; i += BATCH) {
    results.push(...(await Promise.all(items.slice(i, i + BATCH).map(work))));
  }
  return results;
}
