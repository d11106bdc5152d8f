import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./peer-project.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "examples/next-app/package.json"), "utf8")) as {
  dependencies: Readonly<Record<string, string>>;
};
const { holdfast: _, ...others } = manifest.dependencies;

/** The packages that the Next.js example needs beside Holdfast. */
export const nextPackages: Readonly<Record<string, string>> = others;

/** Copies the Next.js example into a project that has its packages. */
export function copyNextApp(project: string): void {
  for (const name of ["app", "lib", "next.config.mjs", "start.mjs"]) {
    cpSync(join(root, "examples/next-app", name), join(project, name), { recursive: true });
  }
}

/** Builds and runs the Next.js example in a project that has its packages. */
export function tryNextApp(project: string): void {
  copyNextApp(project);
  cpSync(join(root, "scripts/peers/next-app.js"), join(project, "next-app.mjs"));
  run(project, process.execPath, ["next-app.mjs"]);
}
