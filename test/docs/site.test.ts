import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readGroups, root, targetOf } from "../../site/navigation.ts";
import { readPage } from "../../site/stage.ts";

test("the first page of the site links to the quick start of the README, and to pages that exist", () => {
  const links = [...readFileSync(`${root}docs/index.md`, "utf8").matchAll(/^ +link: \/(\S+)$/gm)];
  const targets = links.map(([, page = ""]) => `${page}.md`);
  assert.equal(targets[0], targetOf("README.md"));
  const listed = readGroups().flatMap(({ pages }) => pages.map(({ target }) => target));
  for (const target of targets) assert.ok(listed.includes(target), target);
});

test("the quick start of the site is one section of the README", () => {
  const page = readPage("README.md");
  assert.match(page, /^# Sixty seconds\n/);
  assert.match(page, /^npx holdfast serve$/m);
  assert.doesNotMatch(page, /^## /m);
});
