import type { Clock } from "../core/clock.ts";

/** The script of `npx holdfast serve` is `'holdfast'`, and that of `npx -c 'holdfast serve'` has no quotes. */
const COMMAND = /^(?:'holdfast'|holdfast)(?:\s|$)/;
/** How soon the end of `npx` is noticed. */
const CHECK_MS = 1_000;

/** The parent when the process began. It may have ended before the watch begins. */
export const firstParentId: number = process.ppid;

interface NpxParent {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Returns the process id of the parent, which changes when the parent ends. */
  readonly parentId: () => number;
  /** The process id of the parent when this process began. */
  readonly firstParentId: number;
  readonly clock: Clock;
}

/**
 * Calls `onEnd` once when `npx holdfast serve` has ended. `npx` starts the command in a shell and passes SIGTERM to the
 * shell only, so the service would go on and hold its ports. A service that something else started is not watched, so
 * that it outlives its parent as a daemon does. Returns the function that ends the watch.
 */
export function watchNpx(
  { env, parentId, firstParentId: first, clock }: NpxParent,
  onEnd: () => void,
): () => void {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = "" } = env;
  if (event !== "npx" || !COMMAND.test(script)) return () => {};
  let cancel = () => {};
  const check = () => {
    if (parentId() === first) cancel = clock.after(CHECK_MS, check);
    else onEnd();
  };
  check();
  return () => cancel();
}
