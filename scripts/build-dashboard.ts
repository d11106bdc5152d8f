/* Bundles the dashboard into `dist/dashboard` or the given folder, from where the service reads it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleDashboard } from "../src/server/dashboard/bundle.ts";

const [folder = "dist/dashboard"] = process.argv.slice(2);
const { script, style, licences } = await bundleDashboard(new URL("../src/dashboard/", import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "dashboard.js"), script);
writeFileSync(join(folder, "dashboard.css"), style);
writeFileSync(join(folder, "LICENCES.txt"), licences);
