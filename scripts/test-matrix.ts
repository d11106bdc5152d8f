/*
 * Runs the test suite on every Node that Holdfast supports, from the floor up. The binaries come from the npm registry.
 * `npm run test:matrix -- 22.19.0` runs one of them.
 */
import { spawnSync } from "node:child_process";
import { nodePackage } from "./node-package.ts";

const versions = ["22.19.0", "24.21.0", "26.10.0"];
const wanted = process.argv.slice(2);
// The runner of `npm test` reads events that only Node 24 emits.
const preloaded = ["same-examples", "watchdog"].map((name) => `--import=./test/support/${name}.ts`).join(" ");
const tests = `node --conditions=holdfast-source ${preloaded} --test --test-timeout=240000 --test-reporter=spec 'test/**/*.test.ts'`;

const failed: string[] = [];
for (const version of wanted.length > 0 ? wanted : versions) {
  console.log(`\n== Node ${version}`);
  const run = spawnSync("npx", ["-y", "-p", nodePackage(version), "-c", tests], { stdio: "inherit" });
  if (run.status !== 0) failed.push(version);
}
console.log(failed.length === 0 ? "\nEvery version passed." : `\nFailed on Node ${failed.join(", ")}.`);
process.exitCode = failed.length === 0 ? 0 : 1;
