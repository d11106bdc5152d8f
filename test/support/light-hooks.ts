/*
 * Preloaded before each test file, first. The runner follows every promise of a file with async_hooks, so that it can
 * name the test of an error outside of any promise chain. That takes two thirds of the time of a file with many
 * promises. Without it the runner still follows timers and sockets. An error that it can give to no test fails the file.
 */
import asyncHooks from "node:async_hooks";
import { isMainThread } from "node:worker_threads";

// A process that a test forks loads this module, too.
if (isMainThread && /\.test\.\w+$/.test(process.argv[1] ?? "")) {
  const { createHook } = asyncHooks;
  const withoutPromises = { trackPromises: false };
  // Node 22 does not know the option, and ignores it.
  const createLightHook = (callbacks: object) => createHook({ ...callbacks, ...withoutPromises });
  Object.assign(asyncHooks, { createHook: createLightHook });
  await import("node:test");
  Object.assign(asyncHooks, { createHook });
}
