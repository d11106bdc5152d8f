import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { linkPackages } from "./link-packages.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const config = {
  compilerOptions: {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    module: "nodenext",
    target: "es2024",
    lib: ["es2024"],
    types: ["node"],
    allowImportingTsExtensions: true,
    noEmit: true,
    experimentalDecorators: true,
    skipLibCheck: true,
    customConditions: ["holdfast-source"],
  },
};

/** A module in a user's program. */
export interface Module {
  /** The name of its file, which may contain folders. */
  readonly name: string;
  readonly code: string;
}

/** JavaScript has no types for parameters. The compiler still knows those of the package. */
const javascript = {
  allowJs: true,
  checkJs: true,
  noImplicitAny: false,
  exactOptionalPropertyTypes: false,
  jsx: "react-jsx",
  lib: ["es2024", "dom"],
};

/**
 * Compiles modules in a project that depends on both packages of this repository. Returns the compiler's errors, or an
 * empty string. Modules for browsers are compiled without the types of Node, so that they need none.
 */
export function compileModules(modules: readonly Module[]): string {
  const isForBrowsers = ({ code }: Module) => /"holdfast(?:-guard)?\/client(?:\/[\w-]+)?"/.test(code);
  const page = modules.filter(isForBrowsers);
  const node = modules.filter((module) => !isForBrowsers(module));
  return compile(node, {}) + compile(page, { lib: ["es2024", "dom"], types: [] });
}

/**
 * Checks modules in JavaScript, for Node or a browser, as an editor does. Errors in the source of the package are left
 * out, because it is not written for these settings.
 */
export function checkJavaScript(modules: readonly Module[]): string {
  const errors = compile(modules, javascript).split(/^(?=\S)/m);
  return errors.filter((error) => !error.startsWith("src/")).join("");
}

function compile(modules: readonly Module[], more: object): string {
  if (modules.length === 0) return "";
  const compilerOptions = { ...config.compilerOptions, ...more };
  const folder = mkdtempSync(join(tmpdir(), "holdfast-modules-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    linkPackages(join(folder, "node_modules"));
    for (const name of readdirSync(join(root, "node_modules"))) {
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "dir");
    }
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
    for (const { name, code } of modules) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), code);
    }
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
    return status === 0 ? "" : stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
