import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { compileModules, type Module } from "../support/compile-modules.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string) => readFileSync(join(root, file), "utf8");

/** The source file of each entry in package.json. */
function entries(): [entry: string, file: string][] {
  const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, Record<string, string>> };
  return Object.entries(exports).flatMap(([path, conditions]) => {
    const file = conditions["holdfast-source"];
    return file === undefined ? [] : [[join("holdfast", path), join(file)]];
  });
}

/** The TypeScript blocks in a file's docstrings. The name of each contains the line that its docstring starts on. */
function examples(file: string): Module[] {
  const source = read(file);
  return [...source.matchAll(/\/\*\*.*?\*\//gs)].flatMap(({ 0: docstring, index }) => {
    const line = source.slice(0, index).split("\n").length;
    return codeBlocks(docstring).map((code, i) => ({
      name: `${file.replace(/\.ts$/, "")}-line-${line}-${i + 1}.ts`,
      code,
    }));
  });
}

function codeBlocks(docstring: string): string[] {
  const text = docstring.replaceAll(/^ *\* ?/gm, "");
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = ""]) => code);
}

/** The docstring of an export. Follows re-exports to the file that declares it. */
function docstringOf(file: string, name: string): string {
  const source = read(file);
  const declaration = new RegExp(
    `(/\\*\\*(?:(?!\\*/).)*\\*/\\s*)?^export (?:declare )?(?:async )?(?:abstract )?(?:function\\*?|class|const) ${name}\\b`,
    "ms",
  ).exec(source);
  if (declaration !== null) return declaration[1] ?? "";
  for (const [, names = "", from = ""] of source.matchAll(/^export \{([^}]*)\} from "(\.[^"]+)"/gm)) {
    for (const item of names.split(",")) {
      const [original = "", alias = original] = item.trim().split(" as ");
      if (alias === name) return docstringOf(join(dirname(file), from), original);
    }
  }
  for (const [, from = ""] of source.matchAll(/^export \* from "(\.[^"]+)"/gm)) {
    const found = docstringOf(join(dirname(file), from), name);
    if (found !== "") return found;
  }
  return "";
}

test("every example in a docstring compiles as a module against the package's entries", () => {
  const files = globSync("src/**/*.ts", { cwd: root });
  const modules = files.flatMap(examples);
  for (const { name, code } of modules) {
    for (const [, from = ""] of code.matchAll(/ from "([^"]+)"/g)) {
      assert.ok(!from.startsWith("."), `${name} imports ${from}, which is not a public entry`);
    }
    assert.match(code, /^import |^export /m, `${name} is not a module`);
  }
  assert.equal(compileModules(modules), "");
});

test("every function and class of a public entry has an example", async () => {
  let functions = 0;
  const missing: string[] = [];
  for (const [entry, file] of entries()) {
    const module = (await import(join(root, file))) as Record<string, unknown>;
    for (const [name, value] of Object.entries(module)) {
      if (typeof value !== "function") continue;
      functions++;
      if (codeBlocks(docstringOf(file, name)).length === 0) missing.push(`${entry} ${name}`);
    }
  }
  assert.ok(functions > 40);
  assert.deepEqual(missing, []);
});
