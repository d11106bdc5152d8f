import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { compileModules, type Module } from "../support/compile-modules.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The declarations that the snippets of the documentation take from the reader's own program. */
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

/** The TypeScript blocks of a page. The name of each contains the line that it starts on. */
function snippets(page: string): Module[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(({ index, 1: code = "" }) => {
    const line = text.slice(0, index).split("\n").length + 1;
    return { name: `${page.replaceAll("/", "-")}-line-${line}.ts`, code: `${code}\nexport {};\n` };
  });
}

test("every TypeScript block of the READMEs and of docs/ compiles against the packages", () => {
  const pages = [
    "README.md",
    "packages/guard/README.md",
    ...globSync("docs/**/*.md", { cwd: root }).toSorted(),
  ];
  const blocks = pages.flatMap(snippets);
  assert.ok(blocks.length >= 5);
  assert.equal(compileModules([...blocks, { name: "readers.ts", code: readers }]), "");
});
