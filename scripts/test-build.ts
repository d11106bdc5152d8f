import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { bundleLibrary, libraryInput } from "./bundle-library.ts";

/** What a build reads of the package, beside its own files. */
const packageFiles = ["package.json", "ops"];

/**
 * Builds the service for the processes that tests start: hundreds of them, and each would load some three hundred files of
 * the source and of its dependencies. Returns the path of the command. The folder stays the same, so that Node finds the compiled code of the run before.
 */
export async function buildForTests(): Promise<string> {
  const folder = resolve("node_modules/.cache/holdfast-test-build");
  const dist = join(folder, "dist");
  mkdirSync(folder, { recursive: true });
  for (const name of packageFiles) {
    const link = join(folder, name);
    if (!existsSync(link)) symlinkSync(resolve(name), link);
  }
  await bundleLibrary(libraryInput(), { dir: dist, maps: false, dependencies: "inside" });
  execFileSync(process.execPath, ["scripts/build-dashboard.ts", join(dist, "dashboard")]);
  return join(dist, "cli.js");
}
