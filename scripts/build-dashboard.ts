/* Bundles the dashboard into `dist/dashboard`, from where the service reads it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { bundleDashboard } from "../src/server/dashboard/bundle.ts";

const { script, style, licences } = await bundleDashboard(new URL("../src/dashboard/", import.meta.url));
mkdirSync("dist/dashboard", { recursive: true });
writeFileSync("dist/dashboard/dashboard.js", script);
writeFileSync("dist/dashboard/dashboard.css", style);
writeFileSync("dist/dashboard/LICENCES.txt", licences);
