import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("docs/run/logs.md explains every field of a log line, and no other", () => {
  const [, declared = ""] = /interface LogFields \{([^]*?)\n\}/.exec(read("src/server/log-fields.ts")) ?? [];
  const names = [...declared.matchAll(/^ {2}readonly "?([\w.]+)"?\?:/gm)].map(([, name = ""]) => name);
  assert.ok(names.length > 10);
  const [, section = ""] = /^## Fields$([^]*?)^## /m.exec(read("docs/run/logs.md")) ?? [];
  const listed = [...section.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name = ""]) => name);
  assert.deepEqual(listed.toSorted(), names.toSorted());
});
