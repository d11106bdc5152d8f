import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { packPackages, type Packed, type PackedPackages } from "../support/packed-packages.ts";

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Rejects with its output when it fails. */
export const run: (file: string, args: readonly string[], options: { cwd: string }) => Promise<Output> =
  promisify(execFile);
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** A project that has a packed tarball installed. */
export interface Consumer {
  readonly project: string;
  readonly packed: Packed;
  readonly run: (file: string, args: string[]) => Promise<Output>;
  /** Compiles a module in the project. Returns the compiler's errors, or an empty string. */
  readonly compile: (source: string, ...options: string[]) => Promise<string>;
  /** Compiles modules at once, which takes about as long as one. Returns the errors of each module, in their order. */
  readonly compileAll: (sources: readonly string[]) => Promise<string[]>;
}

/** Packs both packages, and installs one of them in a new project. */
export async function installPacked(name: keyof PackedPackages): Promise<Consumer> {
  const project = await mkdtemp(join(tmpdir(), "holdfast-package-"));
  const packed = (await packPackages())[name];
  const inProject = async (file: string, args: string[]) => await run(file, args, { cwd: project });
  await writeFile(join(project, "package.json"), `{"name":"consumer","private":true,"type":"module"}`);
  await inProject("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", packed.tarball]);
  /** Compiles files of the project. Returns the lines of the compiler. */
  const check = async (files: readonly string[], options: readonly string[]): Promise<string> => {
    const all = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024"];
    all.push("--skipLibCheck", "false", "--experimentalDecorators", "--pretty", "false");
    all.push("--types", "node", "--typeRoots", join(root, "node_modules/@types"), ...options, ...files);
    return await inProject(join(root, "node_modules/.bin/tsc"), all).then(
      () => "",
      (error: { stdout: string }) => error.stdout,
    );
  };
  const compile = async (source: string, ...options: string[]) => {
    await writeFile(join(project, "consumer.ts"), source);
    return await check(["consumer.ts"], options);
  };
  const compileAll = async (sources: readonly string[]) => {
    const files = sources.map((_, i) => `consumer-${i}.ts`);
    await Promise.all(files.map(async (file, i) => await writeFile(join(project, file), sources[i] ?? "")));
    // An error begins with its file, and its further lines are indented.
    const errors = (await check(files, [])).split(/^(?=\S)/m);
    const elsewhere = errors.filter((error) => !files.some((file) => error.startsWith(`${file}(`)));
    if (elsewhere.some((error) => error.trim() !== "")) throw new Error(elsewhere.join(""));
    return files.map((file) => errors.filter((error) => error.startsWith(`${file}(`)).join(""));
  };
  return { project, packed, run: inProject, compile, compileAll };
}

/** Imports these modules in a project, and returns the sorted names that each exports. */
export async function exportsOf(
  specifiers: readonly string[],
  runIn: Consumer["run"],
  ...conditions: string[]
): Promise<Record<string, string[]>> {
  const program = `
    const names = {};
    for (const path of ${JSON.stringify(specifiers)}) names[path] = Object.keys(await import(path)).sort();
    console.log(JSON.stringify(names));`;
  const { stdout } = await runIn("node", [...conditions, "--input-type=module", "-e", program]);
  return JSON.parse(stdout) as Record<string, string[]>;
}

/** The addresses of the modules that a program loads when it imports this module. */
export async function loadedModules(specifier: string, runIn: Consumer["run"]): Promise<string[]> {
  const trace = `
    import { registerHooks } from "node:module";
    const seen = new Set();
    registerHooks({ resolve(name, context, next) { const at = next(name, context); seen.add(at.url); return at; } });
    await import("${specifier}");
    console.log(JSON.stringify([...seen]));`;
  const { stdout } = await runIn("node", ["--input-type=module", "-e", trace]);
  return JSON.parse(stdout) as string[];
}
