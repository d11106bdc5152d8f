import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

/** Runs `code` in a process that lacks what came with Node 21 and 22, and returns what it printed. */
function runOnOldNode(code: string): string {
  const lacking = "delete Map.groupBy; delete Promise.withResolvers;";
  const result = spawnSync(process.execPath, ["--input-type=module", "--eval", lacking + code], {
    encoding: "utf8",
    cwd: new URL("../..", import.meta.url).pathname,
    env: { ...process.env, NODE_OPTIONS: "--conditions=holdfast-source" },
  });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim();
}

for (const [entry, name] of [
  ["index.ts", "createGuard"],
  ["issuer/index.ts", "createIssuer"],
] as const) {
  test(`${name} names the Node that it needs when the runtime is older`, () => {
    const printed = runOnOldNode(`
      const { ${name} } = await import("./src/${entry}");
      try { ${name}({ issuer: "https://id.example", audience: "api" }); }
      catch (error) { console.log(error.code, error.message); }
    `);
    const needed =
      "unsupported_runtime Holdfast needs Node 22.19 or newer, or a runtime of that age; this is ";
    assert.equal(printed, needed + process.version);
  });
}
