/** A read of all that a key of each type holds. */
const READS = [
  ["GET"],
  ["HGETALL"],
  ["LRANGE", "0", "-1"],
  ["ZRANGE", "0", "-1", "WITHSCORES"],
  ["XRANGE", "-", "+"],
] as const;

/** Reads all keys. A key answers one of the reads, and the others with an error. */
export async function readContents(
  keys: readonly string[],
  ask: (command: readonly string[]) => unknown,
): Promise<unknown[]> {
  const contents: unknown[] = [];
  for (const key of keys) {
    for (const [name, ...rest] of READS)
      contents.push([name, key, sortFields(name, await ask([name, key, ...rest]))]);
  }
  return contents;
}

/** The order of the fields of a hash has no meaning. */
function sortFields(name: string, reply: unknown): unknown {
  if (name !== "HGETALL" || !Array.isArray(reply)) return reply;
  const pairs = reply.flatMap((one: unknown, i) =>
    i % 2 === 0 ? [`${String(one)}=${String(reply[i + 1])}`] : [],
  );
  return pairs.toSorted();
}
