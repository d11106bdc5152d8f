/* Installs the Next.js example with the packed package in a folder of its own, and starts it. It needs the npm registry. */
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyNextApp, nextPackages } from "./next-app.ts";
import { installProject, run } from "./peer-project.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "holdfast-next-app-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

console.log("Packing Holdfast and installing Next.js …");
run(root, "npm", ["pack", "--pack-destination", folder]);
const [tarball = ""] = globSync("*.tgz", { cwd: folder });
const project = join(folder, "app");
copyNextApp(project);
installProject(project, {
  type: "module",
  dependencies: { ...nextPackages, holdfast: `file:${join(folder, tarball)}` },
});
const child = spawn(process.execPath, ["start.mjs"], { cwd: project, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
child.once("exit", (code) => process.exit(code ?? 1));
