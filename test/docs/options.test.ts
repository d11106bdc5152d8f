import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/** A table of options as the documentation test reads it. */
type AnyTable = Readonly<Record<string, { readonly default: unknown }>>;

const page = readFileSync(new URL("../../docs/options.md", import.meta.url), "utf8");

/** The declared options of each section of docs/options.md. */
const tables: [heading: RegExp, declared: AnyTable][] = [];

/** The rows of the table under a heading: the default cell of each option. */
function documentedDefaults(heading: RegExp): Map<string, string> {
  const section = page.split(/^#+ /m).find((text) => heading.test(text.split("\n", 1)[0] ?? ""));
  assert.ok(section !== undefined, `docs/options.md has a section ${heading}`);
  const rows = [...section.matchAll(/^\| (`\w+`(?:, `\w+`)*) \|.*?\| ?([^|]*?) ?\|?$/gm)];
  return new Map(
    rows.flatMap(([, names = "", cell = ""]) =>
      [...names.matchAll(/\w+/g)].map(([name]): [string, string] => [name, cell]),
    ),
  );
}

/** The form in which a default must stand in the documentation. */
function written(value: unknown): string {
  return typeof value === "number"
    ? value.toLocaleString("en-US")
    : JSON.stringify(value).replaceAll(",", ", ");
}

/** Whether the cell contains `text`, and not only as a part of a longer number or word. */
function contains(cell: string, text: string): boolean {
  const escaped = text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`(?<![\\w,.])${escaped}(?![\\w]|[,.]\\d)`).test(cell);
}

for (const [heading, declared] of tables) {
  test(`docs/options.md documents every option under ${heading}, and no other, with its default`, () => {
    const documented = documentedDefaults(heading);
    assert.deepEqual([...documented.keys()].toSorted(), Object.keys(declared).toSorted());
    for (const [name, { default: value }] of Object.entries(declared)) {
      if (value === undefined) continue;
      const cell = documented.get(name) ?? "";
      assert.ok(
        contains(cell, written(value)),
        `${name}: the default cell must contain ${written(value)}; got ${cell}`,
      );
    }
  });
}
