import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../docs/decisions", import.meta.url));

test("the index of decisions lists every page with its title, and no other", () => {
  const pages = globSync(`${folder}/[0-9]*.md`).toSorted();
  assert.ok(pages.length >= 16);
  const rows = pages.map((page) => {
    const [title = ""] = readFileSync(page, "utf8").split("\n");
    const [, number = "", text = ""] = /^# (\d+)\. (.+)$/.exec(title) ?? [];
    return `| [${number.padStart(4, "0")}](${basename(page)}) | ${text} |`;
  });
  const index = readFileSync(`${folder}/README.md`, "utf8");
  assert.deepEqual(index.match(/^\| \[.*\|$/gm), rows);
});
