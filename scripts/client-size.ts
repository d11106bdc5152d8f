/* Bundles `holdfast/client` as an application does, and fails when a browser would load more than the budget. */
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";

/** Bytes of the minified bundle after gzip. */
const BUDGET = 5_260;

const { outputFiles } = buildSync({
  entryPoints: ["src/client/index.ts"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  // Every import must be a file of the client, so that nothing of Node can be among them.
  platform: "browser",
  write: false,
});
const bytes = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
console.log(`holdfast/client: ${bytes} of ${BUDGET} bytes (minified, gzip)`);
if (bytes > BUDGET) process.exitCode = 1;
