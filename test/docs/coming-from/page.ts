import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../../..", import.meta.url));

/** A page about a move from another library. */
export interface MigrationPage {
  /** The unified diff that the page shows. */
  readonly patch: string;
  /** The packages that the commands of the page uninstall and install. */
  readonly uninstalled: readonly string[];
  readonly installed: readonly string[];
  /** The rows of the table below a heading: the first cell → the other cells. */
  table(heading: string): ReadonlyMap<string, readonly string[]>;
}

/** Reads the rows of the first table below a heading. The first cell of a row names it. */
export function readTable(name: string, heading: string): Map<string, string[]> {
  const section = readPage(name).split(`\n## ${heading}\n`)[1]?.split("\n## ")[0];
  assert.ok(section !== undefined, `${name}: no section "${heading}"`);
  const rows = /(?:^\|.*\n)+/m.exec(section)?.[0].trim().split("\n").slice(2) ?? [];
  return new Map(
    rows.map((row) => {
      const [first = "", ...cells] = row.slice(1, -1).split(" | ");
      return [first.trim(), cells.map((cell) => cell.trim())];
    }),
  );
}

const readPage = (name: string) => readFileSync(join(root, "docs/coming-from", `${name}.md`), "utf8");

/** The code blocks of a page in one language. */
export function readBlocks(name: string, language: string): string[] {
  const blocks = readPage(name).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"));
  return [...blocks].map(([, block = ""]) => block);
}

export function readMigrationPage(name: string): MigrationPage {
  const text = readPage(name);
  const patches = readBlocks(name, "diff");
  assert.equal(patches.length, 1, `${name}: one diff`);
  const packages = (command: string) =>
    [...text.matchAll(new RegExp(`^npm ${command} (.+)$`, "gm"))].flatMap(([, names = ""]) =>
      names.split(" "),
    );
  return {
    patch: patches[0] ?? "",
    uninstalled: packages("uninstall"),
    installed: packages("install"),
    table: (heading) => readTable(name, heading),
  };
}
