import { sleep, type Clock } from "../../core/clock.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { SharedAnswers } from "../../stores/store.ts";

/** Starting instances wait so long for what was used last. */
const WARM_UP_TIMEOUT_MS = 1_000;
const RETRY_MS = 20;

/** What is read when an instance starts. */
export type ReadableAnswers = Pick<SharedAnswers, "recent" | "get">;

/**
 * Runs `load` with answers that are read as soon as there is a connection. Rejects when `load` does, when it takes
 * longer than a second, or with the reason of `signal`.
 */
export async function warmUp(
  clock: Clock,
  answers: ReadableAnswers,
  load: (answers: ReadableAnswers) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const connected = async <T>(read: () => Promise<T>, over: AbortSignal): Promise<T> => {
    for (;;) {
      over.throwIfAborted();
      try {
        return await read();
      } catch {
        await sleep(clock, RETRY_MS, over);
      }
    }
  };
  const work = async (over: AbortSignal) =>
    await load({
      recent: async (list) => await connected(async () => await answers.recent(list), over),
      get: async (names) => await connected(async () => await answers.get(names), over),
    });
  await withDeadline(clock, "warming up", WARM_UP_TIMEOUT_MS, work, signal);
}
