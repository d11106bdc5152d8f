import { sleep, type Clock } from "../../core/clock.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { SharedAnswers } from "../../stores/shared-answers.ts";

/** The longest time that a starting instance waits for the recently used entries. */
const WARM_UP_TIMEOUT_MS = 1_000;
const RETRY_MS = 20;

/** The reads of a warm-up. */
export type ReadableAnswers = Pick<SharedAnswers, "recent" | "get">;

/**
 * Runs `load` with reads that are repeated until the connection is up. Rejects when `load` rejects, when it takes
 * longer than a second, or with the reason of `signal`.
 */
export async function warmUp(
  clock: Clock,
  answers: ReadableAnswers,
  load: (answers: ReadableAnswers) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const retry = async <T>(read: () => Promise<T>, ended: AbortSignal): Promise<T> => {
    for (;;) {
      ended.throwIfAborted();
      try {
        return await read();
      } catch {
        await sleep(clock, RETRY_MS, ended);
      }
    }
  };
  const work = async (ended: AbortSignal) =>
    await load({
      recent: async (list) => await retry(async () => await answers.recent(list), ended),
      get: async (names) => await retry(async () => await answers.get(names), ended),
    });
  await withDeadline(clock, "warming up", WARM_UP_TIMEOUT_MS, work, signal);
}
