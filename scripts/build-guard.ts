/*
 * Builds the package `holdfast-guard` in a folder: `node scripts/build-guard.ts [--out dist-guard]`. It takes modules, types
 * and manifest from those of `holdfast`, and needs no build of it.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix, resolve } from "node:path";
import { parseArgs } from "node:util";
import root from "../package.json" with { type: "json" };
import { bundleLibrary } from "./bundle-library.ts";
import { guardEntries, guardManifest } from "./guard-package.ts";

const { values } = parseArgs({ options: { out: { type: "string", default: "dist-guard" } } });
const out = resolve(values.out);
const dist = join(out, "dist");

/** The npm package that a module imports, such as `@nestjs/common`. `null` for a file and for a module of Node. */
function packageOf(specifier: string): string | null {
  if (/^(?:\.|node:)/.test(specifier)) return null;
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? null;
}

/** Compiles a project into the package, without maps: the source that they lead to is in `holdfast`. */
function compile(project: string): void {
  const tsc = ["node_modules/typescript/bin/tsc", "-p", project, "--outDir", dist, "--sourceMap", "false"];
  const { status } = spawnSync(process.execPath, tsc, { stdio: "inherit" });
  if (status !== 0) throw new Error(`${project} could not be compiled`);
}

/** The specifiers of a module. Examples in comments are none. */
function importsOf(file: string): string[] {
  const code = readFileSync(file, "utf8").replaceAll(/\/\*[^]*?\*\//g, "");
  const found = code.matchAll(
    /^(?:import |(?:im|ex)port\b[^;"]*\bfrom )"([^"\n]+)";|\bimport\("([^"\n]+)"\)/gm,
  );
  return [...found].map(([, statement, expression]) => statement ?? expression ?? "");
}

/** Follows relative imports from these files. Returns all files, and the packages that they import. */
function follow(entries: readonly string[]): { files: Set<string>; packages: Set<string> } {
  const files = new Set(entries);
  const packages = new Set<string>();
  for (const file of files) {
    for (const specifier of importsOf(file)) {
      const name = packageOf(specifier);
      if (name !== null) packages.add(name);
      if (!specifier.startsWith(".")) continue;
      const target = resolve(dirname(file), specifier);
      files.add(file.endsWith(".d.ts") ? target.replace(/\.[jt]s$/, ".d.ts") : target);
    }
  }
  return { files, packages };
}

rmSync(out, { recursive: true, force: true });
compile("tsconfig.build.json");
compile("src/client/tsconfig.build.json");
const entries = Object.values(guardEntries);
// A bundler of the page's own reads the modules of the browser client, which the compiler writes.
const bundled = entries.filter(({ name }) => !name.startsWith("client/"));
const input = Object.fromEntries(bundled.map(({ name, source }) => [name, `src/${source}.ts`]));
await bundleLibrary(input, { dir: dist, maps: false });
for (const { name, source } of entries) {
  if (name === source) continue;
  const file = join(dist, `${name}.d.ts`);
  writeFileSync(file, `export * from "./${posix.relative(posix.dirname(name), source)}.js";\n`);
}

const code = follow(entries.map(({ name }) => join(dist, `${name}.js`)));
const types = follow(entries.map(({ name }) => join(dist, `${name}.d.ts`)));
for (const file of globSync("**/*.{js,ts}", { cwd: dist })) {
  const path = join(dist, file);
  if (!code.files.has(path) && !types.files.has(path)) rmSync(path);
}

// The examples import from this package what it has.
const own = new RegExp(
  `"holdfast(?=(?:${Object.keys(guardEntries)
    .map((path) => path.slice(1))
    .join("|")})")`,
  "g",
);
for (const file of types.files)
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(own, '"holdfast-guard'));

const manifest = guardManifest({ byCode: code.packages, byTypes: types.packages });
writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync("packages/guard/README.md", join(out, "README.md"));
copyFileSync("LICENSE", join(out, "LICENSE"));
// The package has no docs, so the links of the changelog lead to the repository.
const changelog = readFileSync("CHANGELOG.md", "utf8");
const repository = `${root.homepage}/blob/main/`;
writeFileSync(join(out, "CHANGELOG.md"), changelog.replaceAll(/\]\((?!https?:|#)/g, `](${repository}`));
