/*
 * Installs the packed tarball beside the oldest versions of the frameworks that it supports, and runs a small program
 * with each. For Jest and TypeScript it runs the recipes of docs/frameworks/commonjs.md in a CommonJS project, and for Next.js
 * `examples/next-app`. It needs the npm registry. `npm run test:peers -- express` runs the sets of that name.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tryJest, tryTypeScript } from "./commonjs-recipes.ts";
import { nextPackages, tryNextApp } from "./next-app.ts";
import { installProject, run } from "./peer-project.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

interface PeerSet {
  readonly name: string;
  readonly packages: Readonly<Record<string, string>>;
  /** A program in `scripts/peers`, of which a `.ts` file is only compiled. A function runs in a CommonJS project. */
  readonly program: string | ((project: string) => void);
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
  { name: "redis 5", packages: { redis: "5.0.0" }, program: "redis.js" },
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
  {
    name: "next 16",
    packages: nextPackages,
    program: tryNextApp,
  },
];

const wanted = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "holdfast-peers-"));
const failed: string[] = [];
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function tryBeside(tarball: string, { name, packages, program }: PeerSet): void {
  const project = join(folder, name.replaceAll(/\W/g, "-"));
  const dependencies = { ...packages, holdfast: `file:${tarball}` };
  if (typeof program === "function") {
    installProject(project, { dependencies }, join(root, "scripts/peers/commonjs"));
    program(project);
    return;
  }
  installProject(project, { type: "module", dependencies }, join(root, "scripts/peers"));
  if (program.endsWith(".ts")) {
    const strict = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2024", "--allowJs"];
    run(project, process.execPath, ["node_modules/typescript/bin/tsc", ...strict, program]);
    return;
  }
  const output = run(project, process.execPath, [program]);
  if (!output.includes("passed")) throw new Error(`${program} ended without a result:\n${output}`);
}

run(root, "npm", ["pack", "--pack-destination", folder]);
const tarball = join(folder, `holdfast-${manifest.version}.tgz`);
for (const set of sets) {
  if (wanted.length > 0 && !wanted.some((word) => set.name.startsWith(word))) continue;
  const began = performance.now();
  try {
    tryBeside(tarball, set);
    console.log(`${set.name}: passed in ${Math.round((performance.now() - began) / 1_000)} s`);
  } catch (error) {
    failed.push(set.name);
    console.error(`${set.name}: ${(error as Error).message}`);
  }
}
if (failed.length > 0) console.error(`\nFailed beside ${failed.join(", ")}.`);
process.exitCode = failed.length === 0 ? 0 : 1;
