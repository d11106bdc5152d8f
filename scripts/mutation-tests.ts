/* Finds the tests that load a source file, for runs that change the source. */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { z } from "zod";

const manifest = z
  .object({ exports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])) })
  .parse(JSON.parse(readFileSync("package.json", "utf8")));

/** Public entry, such as `holdfast/express` → its source file. */
const entries = new Map(
  Object.entries(manifest.exports).flatMap(([entry, targets]) => {
    const source = typeof targets === "string" ? undefined : targets["holdfast-source"];
    return source === undefined ? [] : [[join("holdfast", entry), normalize(source)] as const];
  }),
);

/** A test that needs a package which was built before, or starts only other tests. */
const UNSUITABLE = /^test\/(?:package|scripts|support)\//;
/** A test that reaches a source only through a name that is built at run time. */
const UNKNOWN_DISTANCE = 6;

/** File → the files that name it in an import or as a path. Types are not loaded, so an import of types does not count. */
function readImporters(): Map<string, Set<string>> {
  const importers = new Map<string, Set<string>>();
  const files = globSync("{src,test,sim,bench,examples}/**/*.{ts,tsx}", { exclude: ["**/node_modules/**"] });
  const known = new Set(files);
  for (const file of files) {
    const code = readFileSync(file, "utf8").replaceAll(/^(?:import|export) type [^;]*;/gm, "");
    for (const [, name = ""] of code.matchAll(/["'`]((?:\.{1,2}\/|holdfast\b|src\/)[^"'`\s]*)["'`]/g)) {
      const target = name.startsWith(".") ? join(dirname(file), name) : (entries.get(name) ?? name);
      if (!known.has(target)) continue;
      const found = importers.get(target) ?? new Set();
      importers.set(target, found.add(file));
    }
  }
  return importers;
}

/** `src/guard/keys/key-set.ts` → `guard`, `keys` and the name `key-set`. */
function pathOf(file: string): { readonly folders: readonly string[]; readonly name: string } {
  return {
    folders: dirname(file).split("/").slice(1),
    name: basename(file).replace(/(?:\.test)?\.tsx?$/, ""),
  };
}

/** How near a test is to a source by their names: a shared folder counts more than a shared word, less than the same name. */
function likeness(source: string, test: string): number {
  const [one, other] = [pathOf(source), pathOf(test)];
  const depth = one.folders.findIndex((folder, index) => folder !== other.folders[index]);
  const shared = depth === -1 ? one.folders.length : depth;
  const words = new Set(one.name.split("-"));
  const common = other.name.split("-").filter((word) => words.has(word)).length;
  return 2 * shared + (one.name === other.name ? 3 : 0) + common;
}

/**
 * Returns a function that lists the test files that load a source file. The first ones most likely notice a change of it:
 * their path and name are similar, and few imports lie between them and the source.
 */
export function createTestFinder(): (source: string) => string[] {
  const importers = readImporters();
  const tests = globSync("test/**/*.test.ts").filter((file) => !UNSUITABLE.test(file));
  return (source) => {
    const distances = new Map([[source, 0]]);
    for (const [file, distance] of distances) {
      for (const importer of importers.get(file) ?? []) {
        if (!distances.has(importer)) distances.set(importer, distance + 1);
      }
    }
    const isSameRoom = (test: string) => pathOf(test).folders[0] === pathOf(source).folders[0];
    return tests
      .filter((test) => distances.has(test) || isSameRoom(test))
      .map((test) => ({
        test,
        order: (distances.get(test) ?? UNKNOWN_DISTANCE) - likeness(source, test),
      }))
      .toSorted((a, b) => a.order - b.order)
      .map(({ test }) => test);
  };
}
