#!/usr/bin/env node
// The check runs before other modules are loaded. An older Node fails on node:sqlite, with an unclear stack trace.
const { node: version } = process.versions;
const [major = 0, minor = 0] = version.split(".").map(Number);
if (major > 22 || (major === 22 && minor >= 19)) {
  const { run } = await import("./cli/run.ts");
  process.exitCode = await run(process.argv.slice(2));
} else {
  console.error(`holdfast: needs Node 22.19 or newer; this is ${version}`);
  process.exitCode = 1;
}
