import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guardEntries } from "../../scripts/guard-package.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Makes both packages of this checkout resolve in a folder `node_modules`: `holdfast`, and `holdfast-guard` with the entries
 * and exports that it will have. With the condition `holdfast-source` they are the source, which needs no build.
 */
export function linkPackages(nodeModules: string): void {
  linkPackage(nodeModules, "holdfast");
  linkPackage(nodeModules, "holdfast-guard");
}

/** Makes one of the two packages resolve. */
export function linkPackage(nodeModules: string, name: "holdfast" | "holdfast-guard"): void {
  if (name === "holdfast") {
    symlinkSync(root, join(nodeModules, name), "dir");
    return;
  }
  const folder = join(nodeModules, "holdfast-guard");
  mkdirSync(folder);
  symlinkSync(join(root, "src"), join(folder, "src"), "dir");
  const exports = Object.fromEntries(
    Object.entries(guardEntries).map(([path, { source }]) => [
      path,
      { "holdfast-source": `./src/${source}.ts` },
    ]),
  );
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "holdfast-guard", type: "module", exports }),
  );
}
