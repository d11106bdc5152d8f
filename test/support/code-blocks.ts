import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A block of code in a page. */
export interface CodeBlock {
  /** The file of the page, from the root of the repository. */
  readonly page: string;
  /** The line of its first line of code. */
  readonly line: number;
  readonly language: string;
  /** The words after the language, such as `no-check` with its reason. */
  readonly info: string;
  readonly code: string;
}

/** The pages that a reader of the documentation sees. */
export function documentationPages(): string[] {
  const pages = globSync("docs/**/*.md", { cwd: root }).toSorted((a, b) => (a < b ? -1 : 1));
  return ["README.md", "packages/guard/README.md", ...pages];
}

/** The blocks of code of a page. A block may be indented, in a list. */
export function codeBlocks(page: string): CodeBlock[] {
  const text = readFileSync(root + page, "utf8");
  return [...text.matchAll(/^([ \t]*)```(\w+)([^\n]*)\n([^]*?)^\1```[ \t]*$/gm)].map(
    ({ index, 1: indent = "", 2: language = "", 3: info = "", 4: code = "" }) => ({
      page,
      line: text.slice(0, index).split("\n").length + 1,
      language,
      info: info.trim(),
      code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    }),
  );
}
