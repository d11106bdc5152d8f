/*
 * Preloaded before each test file. A file that does not end in time is ended: a timeout of `node:test` covers tests, but
 * neither hooks nor what a test leaves open. The watchdog says what still ran, and leaves no process behind.
 */
import { writeSync } from "node:fs";
import { afterEach, beforeEach } from "node:test";
import { isMainThread } from "node:worker_threads";
import { killAll, listDescendants } from "./child-processes.ts";
import { FILE_LIMIT_MS } from "./file-limit.ts";

function watch(): void {
  const running = new Set<string>();
  let last: string | null = null;
  beforeEach((t) => void running.add((last = t.fullName)));
  afterEach((t) => void running.delete(t.fullName));

  const strike = (): void => {
    const processes = listDescendants(process.pid);
    const none =
      last === null ? "no test, before the first one" : `no test, a hook or nothing after: ${last}`;
    const lines = [
      `watchdog: ${process.argv[1]} has not ended within ${FILE_LIMIT_MS / 1000} s, and is ended now.`,
      ...(running.size === 0 ? [none] : [...running]).map((name) => `  running: ${name}`),
      `  active: ${process.getActiveResourcesInfo().join(", ")}`,
      ...processes.map(({ pid, command }) => `  process ${pid}: ${command.slice(0, 200)}`),
    ];
    writeSync(2, `${lines.join("\n")}\n`);
    killAll(processes);
    process.exit(1);
  };
  setTimeout(strike, FILE_LIMIT_MS).unref();
}

// The runner and worker threads load this module, too.
if (isMainThread && process.env["NODE_TEST_CONTEXT"] === "child-v8") watch();
