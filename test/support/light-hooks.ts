/*
 * Preloaded before each test file, first. The runner follows every promise of a file with async_hooks, so that an error
 * outside of any promise chain is told under the name of its test. That takes half of the time of a file with millions
 * of promises. Such files do without: an error of that kind then fails the file, and not one of its tests.
 */
import asyncHooks from "node:async_hooks";

const HEAVY = /\.property\.test\.ts$|\/test\/model\//;

if (HEAVY.test(process.argv[1] ?? "")) {
  const { createHook } = asyncHooks;
  const withoutPromises = { trackPromises: false };
  // Node 22 does not know the option, and ignores it.
  const createLightHook = (callbacks: object) => createHook({ ...callbacks, ...withoutPromises });
  Object.assign(asyncHooks, { createHook: createLightHook });
  await import("node:test");
  Object.assign(asyncHooks, { createHook });
}
