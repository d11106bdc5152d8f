import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const versions = { bun: "1.4.5", deno: "2.9.6", miniflare: "4.20260730.0" } as const;
const platform = `${process.platform}-${process.arch}`;

/** The packages with the programs for this machine. They are no dependencies, because together they have 350 MB. */
const packages: Readonly<Record<keyof typeof versions, string>> = {
  bun: `@oven/bun-${platform}${process.arch === "x64" ? "-baseline" : ""}`,
  deno: `@deno/${platform}${process.platform === "linux" ? "-glibc" : ""}`,
  miniflare: "miniflare",
};

/** Installs the runtimes below `node_modules/.cache`, unless they are there. Returns the folder of each package. */
export function installRuntimes(root: string): Record<keyof typeof versions, string> {
  const folder = join(root, "node_modules/.cache/holdfast-runtimes");
  const modules = join(folder, "node_modules");
  const wanted = Object.entries(packages).map(
    ([name, id]) => `${id}@${versions[name as keyof typeof versions]}`,
  );
  const stamp = join(folder, `${wanted.join("+").replaceAll("/", "_")}.installed`);
  if (!existsSync(stamp)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }');
    const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
    const install = spawnSync("npm", ["install", ...options, ...wanted], { cwd: folder, stdio: "inherit" });
    if (install.status !== 0) throw new Error("the runtimes could not be installed from the npm registry");
    writeFileSync(stamp, "");
  }
  const resolve = (id: string) => join(modules, id);
  return {
    bun: resolve(packages.bun),
    deno: resolve(packages.deno),
    miniflare: createRequire(stamp).resolve("miniflare"),
  };
}
