import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { applyPatch, parsePatch } from "diff";
import { waitForExit } from "../../support/child-exit.ts";
import { within } from "../../support/deadline.ts";
import { linkPackage } from "../../support/link-packages.ts";
import { root, type MigrationPage } from "./page.ts";

const examples = join(root, "examples/coming-from");
const clock = pathToFileURL(join(root, "test/support/remote-clock.ts")).href;

/** How long a process may take to start on a busy machine. */
const START_MS = 60_000;
/** How long the tests of an application may take there. */
const RUN_MS = 240_000;

interface Manifest {
  readonly version: string;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

const readManifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

type OwnPackage = "holdfast" | "holdfast-guard";

const isOwn = (name: string): name is OwnPackage => name === "holdfast" || name === "holdfast-guard";

/** The folder of an installed package. */
const installedFolder = (name: string) => (isOwn(name) ? root : join(root, "node_modules", name));

/** A copy of an example, with the packages that it names and no others. */
export interface App {
  /** The folder of the application. */
  readonly folder: string;
  /** Whether the diff of a page was applied. */
  readonly isMoved: boolean;
}

/** Installs packages by links to the installed ones. The packages of this repository are its source. */
function link(folder: string, packages: readonly string[]): void {
  const nodeModules = join(folder, "node_modules");
  mkdirSync(nodeModules);
  for (const name of packages) {
    if (isOwn(name)) linkPackage(nodeModules, name);
    else {
      const path = join(nodeModules, name);
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync(installedFolder(name), path, "dir");
    }
  }
}

/** Copies an example. With a page, the copy is what the page makes of it: other packages, and the diff applied. */
export function copyExample(t: TestContext, name: string, page?: MigrationPage): App {
  const top = mkdtempSync(join(tmpdir(), "holdfast-coming-from-"));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  const folder = join(top, name);
  cpSync(join(examples, name), folder, { recursive: true });
  for (const file of ["provider.js", "test-api.js"]) cpSync(join(examples, file), join(top, file));
  writeFileSync(join(top, "package.json"), '{ "type": "module" }');

  const { dependencies = {}, devDependencies } = readManifest(folder);
  const packages = { ...dependencies, ...devDependencies };
  for (const [dependency, version] of Object.entries(packages)) {
    const installed = readManifest(installedFolder(dependency)).version;
    assert.equal(version, installed, `${name}: the version of ${dependency}`);
  }
  const uninstalled = page?.uninstalled ?? [];
  for (const dependency of uninstalled)
    assert.ok(dependency in dependencies, `${name} needs no ${dependency}`);
  const left = Object.keys(packages).filter((dependency) => !uninstalled.includes(dependency));
  link(top, [...left, ...(page?.installed ?? [])]);

  if (page !== undefined) {
    const file = join(folder, parsePatch(page.patch)[0]?.oldFileName ?? "");
    const patched = applyPatch(readFileSync(file, "utf8"), page.patch);
    assert.ok(patched !== false, `the diff of ${name} does not apply to ${file}`);
    writeFileSync(file, patched);
  }
  return { folder, isMoved: page !== undefined };
}

const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  // A test process that starts another one would make it report to the first.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  return { ...inherited, NODE_ENV: "test", NODE_OPTIONS: "--conditions=holdfast-source", ...more };
};

/** Runs a program in the folder of the application. Returns what it prints. */
export function run({ folder }: App, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    env: environment(),
    encoding: "utf8",
    timeout: RUN_MS,
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

/** Runs the tests of the application. Returns how many passed. */
export function runOwnTests(app: App, file: string, flags: readonly string[] = []): number {
  const output = run(app, [...flags, "--test", "--test-isolation=none", "--test-reporter=tap", file]);
  return Number(/^# pass (\d+)$/m.exec(output)?.[1]);
}

/** A running server. */
export interface Server {
  /** Sends a request that fails with a `TimeoutError` after `timeoutMs`, by default a minute. */
  get(path: string, token?: string, timeoutMs?: number): Promise<Response>;
  /** Sets how far both clocks of the process are ahead of the machine's. */
  setAhead(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startServer(t: TestContext, { folder }: App, env: NodeJS.ProcessEnv): Promise<Server> {
  const child: ChildProcess = spawn(process.execPath, [`--import=${clock}`, "server.js"], {
    cwd: folder,
    env: environment({ PORT: "0", ...env }),
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const stop = async () => {
    child.kill();
    await waitForExit(child, folder);
  };
  t.after(stop);
  assert.ok(child.stdout !== null);
  const ended = once(child, "exit").then(([code]) => assert.fail(`${folder} has ended: ${String(code)}`));
  const line = once(createInterface(child.stdout), "line") as Promise<[string]>;
  const [url] = await within(Promise.race([line, ended]), START_MS, `the start of ${folder}`);
  return {
    async get(path, token, timeoutMs = START_MS) {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return await fetch(url + path, { headers, signal: AbortSignal.timeout(timeoutMs) });
    },
    async setAhead(ms) {
      const answered = once(child, "message");
      child.send(ms);
      await within(answered, START_MS, "the clock of the server");
    },
    stop,
  };
}
