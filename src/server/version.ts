import { readFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** Of this package: from its package.json, two levels up from `src/server` as from `dist/server`. */
export const version: string = manifest.version;
