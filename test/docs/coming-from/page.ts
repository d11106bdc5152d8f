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
  /** Case → the cells of its row, in the table below the heading "What clients see". */
  readonly answers: ReadonlyMap<string, readonly string[]>;
}

/** Reads the rows of the first table below a heading. The first cell of a row names it. */
export function readTable(page: string, heading: string): Map<string, string[]> {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0];
  assert.ok(section !== undefined, `the page has no section "${heading}"`);
  const rows = /(?:^\|.*\n)+/m.exec(section)?.[0].trim().split("\n").slice(2) ?? [];
  return new Map(
    rows.map((row) => {
      const [name = "", ...cells] = row.slice(1, -1).split(" | ");
      return [name.trim(), cells.map((cell) => cell.trim())];
    }),
  );
}

export const readComingFrom = (name: string): string =>
  readFileSync(join(root, "docs/coming-from", `${name}.md`), "utf8");

export function readMigrationPage(name: string): MigrationPage {
  const text = readComingFrom(name);
  const patches = [...text.matchAll(/^```diff\n(.*?)^```$/gms)].map(([, patch = ""]) => patch);
  assert.equal(patches.length, 1, `${name}: one diff`);
  const packages = (command: string) =>
    [...text.matchAll(new RegExp(`^npm ${command} (.+)$`, "gm"))].flatMap(([, names = ""]) =>
      names.split(" "),
    );
  return {
    patch: patches[0] ?? "",
    uninstalled: packages("uninstall"),
    installed: packages("install"),
    answers: readTable(text, "What clients see"),
  };
}
