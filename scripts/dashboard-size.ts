/* Bundles the dashboard as the service does, and fails when a browser would load more than the budget. */
import { gzipSync } from "node:zlib";
import { bundleDashboard } from "../src/server/dashboard/bundle.ts";

/** Bytes of script and style after gzip. */
const BUDGET = 61_440;

const { script, style } = await bundleDashboard(new URL("../src/dashboard/", import.meta.url));
const sizes = [script, style].map((text) => gzipSync(text, { level: 9 }).length);
const bytes = sizes.reduce((sum, size) => sum + size, 0);
console.log(`dashboard: ${bytes} of ${BUDGET} bytes (script and style, minified, gzip)`);
if (bytes > BUDGET) process.exitCode = 1;
