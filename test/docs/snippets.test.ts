import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a reader's own program has around a snippet. */
const readers = `
import type { Clock, Guard } from "holdfast";
import type { AuthenticatedUser, Issuer, Store } from "holdfast/issuer";
declare global {
  const guard: Guard;
  const issuer: Issuer;
  const token: string;
  const sessionId: string;
  function retryIn(ms: number | undefined): void;
  const myUsers: { check(username: unknown, password: unknown): Promise<AuthenticatedUser | null> };
  function myStore(options: { clock: Clock }): Promise<Store>;
}`;

const options = {
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

/** The TypeScript blocks of a page, each named for the line it starts on. */
function snippets(page: string): [name: string, code: string][] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(({ index, 1: code = "" }) => {
    const line = text.slice(0, index).split("\n").length + 1;
    return [`${page.replaceAll("/", "-")}-line-${line}.ts`, code];
  });
}

test("every TypeScript block of README.md and docs/ compiles against the package", (t) => {
  const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  const blocks = ["README.md", ...pages.map((name) => `docs/${name}`)].flatMap(snippets);
  assert.ok(blocks.length >= 5);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-snippets-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/holdfast"), "dir");
  for (const name of readdirSync(join(root, "node_modules"))) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "dir");
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
  writeFileSync(join(folder, "readers.ts"), readers);
  for (const [name, code] of blocks) writeFileSync(join(folder, name), `${code}\nexport {};\n`);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
});
