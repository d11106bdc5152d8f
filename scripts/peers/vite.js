/* Builds a page with the browser client, and runs the bundle. It must need nothing of Node. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { build } from "vite";

writeFileSync(
  "page.js",
  `import { createAuthClient } from "holdfast/client";
export { createAuthClient };`,
);
await build({
  logLevel: "error",
  build: { lib: { entry: "page.js", formats: ["es"], fileName: "page" }, outDir: "out", minify: false },
});
const bundle = readFileSync("out/page.js", "utf8");
assert.equal(/^import\b/m.test(bundle), false, "the bundle imports other modules");
const { createAuthClient } = await import(pathToFileURL("out/page.js").href);
assert.equal(typeof createAuthClient, "function");
console.log("passed");
