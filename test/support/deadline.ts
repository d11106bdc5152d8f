import { setTimeout as pause } from "node:timers/promises";

/*
 * Every wait of the test support ends. A hook has no timeout of its own in `node:test`: a wait in it that never ends would
 * hang its file.
 */

/** Resolves or rejects as the promise does. After the deadline it rejects with an error that says what was awaited. */
export async function within<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Repeats `done` until it is true. The deadline covers an attempt that never settles, too. */
export async function waitUntil(
  done: () => Promise<boolean>,
  what: string,
  deadlineMs = 20_000,
): Promise<void> {
  const over = new AbortController();
  const repeat = async () => {
    while (!over.signal.aborted && !(await done())) await pause(20);
  };
  try {
    await within(repeat(), deadlineMs, what);
  } finally {
    over.abort();
  }
}
