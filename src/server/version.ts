import { readFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** The version of this package. `src/server` and `dist/server` are both two levels below its package.json. */
export const version: string = manifest.version;
