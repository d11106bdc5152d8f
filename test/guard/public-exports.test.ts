import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

test("the main entry loads only modules that a guard needs", () => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = new Set();
    registerHooks({
      resolve(specifier, context, next) {
        loaded.add(specifier);
        return next(specifier, context);
      },
    });
    await import(${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)});
    await import(${JSON.stringify(new URL("../../src/cache/index.ts", import.meta.url).href)});
    console.log(JSON.stringify([...loaded].filter((one) => !/^(\\.|file:)/.test(one))));
  `;
  const out = execFileSync(process.execPath, ["--no-warnings", "--input-type=module", "--eval", script]);
  const loaded = JSON.parse(out.toString()) as string[];
  assert.ok(loaded.includes("node:crypto"));
  const outside = loaded.filter((one) => !one.startsWith("node:") || one === "node:sqlite");
  // The distance of two names suggests the option that was meant.
  assert.deepEqual([...new Set(outside)].toSorted(), ["fastest-levenshtein"]);
});
