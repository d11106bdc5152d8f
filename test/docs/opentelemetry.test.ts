import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/run/opentelemetry.md", root), "utf8");
const sources = globSync("src/{core,guard,issuer}/**/*.ts", { cwd: root }).map((path) =>
  readFileSync(new URL(path, root), "utf8"),
);

/** The first cells of the table that begins with this heading. */
function table(heading: string): string[] {
  const [, rows = ""] = page.split(`\n| ${heading} |`);
  const [body = ""] = rows.split("\n\n", 1);
  return [...body.matchAll(/^\| `([\w.]+)`/gm)].map(([, name = ""]) => name);
}

const literals = sources.flatMap((source) =>
  [...source.matchAll(/(?<!Symbol\.for\()"(holdfast\.[a-z_.]+)"(: )?/g)].map(([, name = "", colon]) => ({
    name,
    isAttribute: colon !== undefined,
  })),
);
const namesOf = (wanted: boolean) => [
  ...new Set(literals.filter(({ isAttribute }) => isAttribute === wanted).map(({ name }) => name)),
];

test("docs/run/opentelemetry.md lists every attribute of the spans, and no other", () => {
  const documented = table("attribute");
  assert.ok(documented.length > 5);
  assert.deepEqual(documented.toSorted(), namesOf(true).toSorted());
});

test("docs/run/opentelemetry.md lists every span", () => {
  const operations = ["holdfast.login", "holdfast.refresh", "holdfast.store.sessions.rotate"];
  assert.deepEqual(table("span").toSorted(), [...namesOf(false), ...operations].toSorted());
});
