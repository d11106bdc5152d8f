/*
 * Installs the packed tarballs of both packages beside the oldest versions of the frameworks that they support, and runs
 * a small program with each. For Jest and TypeScript it runs the recipes of the documentation in a CommonJS project, and
 * for Next.js `examples/next-app`. It needs the npm registry. `npm run test:peers -- express` runs the sets of that name,
 * and `--package holdfast-guard` takes one package.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installRuntimes } from "../test/runtimes/install.ts";
import { tryJest, tryTypeScript } from "./commonjs-recipes.ts";
import { tryEntries, typedPackages } from "./typed-entries.ts";
import { nextPackages, tryNextApp } from "./next-app.ts";
import { run, startProject, type PackageName, type Project } from "./peer-project.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const { values: flags, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { package: { type: "string" } },
});

interface PeerSet {
  readonly name: string;
  readonly packages: Readonly<Record<string, string>>;
  /** A program in `scripts/peers`, of which a `.ts` file is only compiled. A function runs in a CommonJS project. */
  readonly program: string | ((project: Project) => void);
  /** The command that runs the program. Default: this Node. */
  readonly command?: () => readonly string[];
  /** Whether the program needs the issuer, which only `holdfast` has. */
  readonly needsIssuer?: true;
}

const nest = (version: string, rest: Readonly<Record<string, string>>) => ({
  "@nestjs/common": version,
  "@nestjs/core": version,
  "@nestjs/platform-express": version,
  ...rest,
});

/** The lower end of each range of `peerDependencies`, and a minor version of Hono that is not ours. */
const sets: readonly PeerSet[] = [
  { name: "express 4", packages: { express: "4.18.0" }, program: "express.js" },
  {
    name: "fastify 4",
    packages: { fastify: "4.16.0", "@fastify/websocket": "10.0.0", ws: "8.18.0" },
    program: "fastify.js",
  },
  {
    name: "nestjs 10",
    packages: nest("10.0.0", { rxjs: "7.8.1", "reflect-metadata": "0.1.13" }),
    program: "nestjs.js",
  },
  {
    name: "opentelemetry 1.9",
    packages: {
      "@opentelemetry/api": "1.9.0",
      "@opentelemetry/context-async-hooks": "1.30.1",
      "@opentelemetry/sdk-metrics": "1.30.1",
      "@opentelemetry/sdk-trace-base": "1.30.1",
    },
    program: "opentelemetry.js",
  },
  { name: "redis 5", packages: { redis: "5.0.0" }, program: "redis.js", needsIssuer: true },
  {
    name: "hono 4.6",
    packages: { hono: "4.6.20", typescript: "5.8.3", "@types/node": "24.0.0" },
    program: "hono.ts",
  },
  {
    name: "jest 30",
    packages: { jest: "30.5.2", "@babel/plugin-transform-modules-commonjs": "7.29.14" },
    program: tryJest,
  },
  {
    name: "typescript 5.9",
    packages: { typescript: "5.9.3", "@types/node": "24.0.0" },
    program: tryTypeScript,
  },
  { name: "typescript 5.8", packages: { typescript: "5.8.3", ...typedPackages }, program: tryEntries },
  { name: "typescript 7.0", packages: { typescript: "7.0.2", ...typedPackages }, program: tryEntries },
  { name: "vite 8", packages: { vite: "8.3.8" }, program: "vite.js" },
  {
    name: "bun",
    packages: {},
    program: "fetch.js",
    command: () => [join(installRuntimes(root).bun, "bin/bun")],
  },
  {
    name: "deno",
    packages: {},
    program: "fetch.js",
    command: () => [join(installRuntimes(root).deno, "deno"), "run", "-A"],
  },
  {
    name: "next 16",
    packages: nextPackages,
    program: ({ folder }) => tryNextApp(folder),
    needsIssuer: true,
  },
];

const folder = mkdtempSync(join(tmpdir(), "holdfast-peers-"));
const failed: string[] = [];
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function tryBeside(name: PackageName, set: PeerSet): void {
  const dependencies = { ...set.packages, [name]: `file:${join(folder, `${name}-${manifest.version}.tgz`)}` };
  const isModule = typeof set.program === "string";
  const programs = join(root, "scripts/peers", isModule ? "" : "commonjs");
  const settings = isModule ? { type: "module", dependencies } : { dependencies };
  const project = startProject(
    join(folder, `${name}-${set.name.replaceAll(/\W/g, "-")}`),
    name,
    settings,
    programs,
  );
  if (typeof set.program === "function") {
    set.program(project);
    return;
  }
  if (set.program.endsWith(".ts")) {
    const strict = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2024", "--allowJs"];
    run(project.folder, process.execPath, ["node_modules/typescript/bin/tsc", ...strict, set.program]);
    return;
  }
  const [command = process.execPath, ...args] = set.command?.() ?? [];
  const output = run(project.folder, command, [...args, set.program]);
  if (!output.includes("passed")) throw new Error(`${set.program} ended without a result:\n${output}`);
}

run(root, "npm", ["pack", "--pack-destination", folder]);
run(root, "npm", ["run", "-s", "build:guard"]);
run(root, "npm", ["pack", "./dist-guard", "--pack-destination", folder]);
for (const name of ["holdfast", "holdfast-guard"] as const) {
  if (flags.package !== undefined && flags.package !== name) continue;
  for (const set of sets) {
    if (wanted.length > 0 && !wanted.some((word) => set.name.startsWith(word))) continue;
    if (set.needsIssuer && name !== "holdfast") continue;
    const began = performance.now();
    try {
      tryBeside(name, set);
      console.log(`${name}, ${set.name}: passed in ${Math.round((performance.now() - began) / 1_000)} s`);
    } catch (error) {
      failed.push(`${set.name} with ${name}`);
      console.error(`${name}, ${set.name}: ${(error as Error).message}`);
    }
  }
}
if (failed.length > 0) console.error(`\nFailed: ${failed.join(", ")}.`);
process.exitCode = failed.length === 0 ? 0 : 1;
