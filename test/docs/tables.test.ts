import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The string literals of `name`, a union type or a member declared as one, in a source file. */
function union(path: string, name: string): string[] {
  const source = read(path).replaceAll(/\/\*\*[^]*?\*\//g, "");
  const start = source.search(new RegExp(`(type|readonly) ${name}\\b\\s*[:=]`));
  assert.ok(start >= 0, `${path} declares ${name}`);
  return [...source.slice(start, source.indexOf(";", start)).matchAll(/^\s*\| "(\w+)"/gm)].map(
    (m) => m[1] ?? "",
  );
}

/** First cells of the table under a heading, without back-ticks. */
function table(path: string, heading: RegExp): string[] {
  const sections = read(path).split(/^#+ /m);
  const section = sections.find((s) => heading.test(s.split("\n", 1)[0] ?? ""));
  assert.ok(section !== undefined, `${path} has a section ${heading}`);
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map((m) => m[1] ?? "");
}

const pages: [string, string, string, RegExp][] = [
  ["src/core/errors.ts", "ErrorCode", "docs/errors.md", /^Errors$/],
  ["src/core/verdict.ts", "InvalidReason", "docs/errors.md", /invalid/],
  ["src/core/verdict.ts", "UnavailableCause", "docs/errors.md", /no answer/],
  ["src/core/events.ts", "AuditKind", "docs/events.md", /holdfast:audit/],
  ["src/core/events.ts", "event", "docs/events.md", /holdfast:guard/],
];

for (const [source, name, page, heading] of pages) {
  test(`${page} documents every ${name} of ${source}, and no other`, () => {
    const declared = union(source, name);
    assert.ok(declared.length > 1);
    assert.deepEqual(table(page, heading).toSorted(), declared.toSorted());
  });
}
