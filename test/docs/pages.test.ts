import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const pages = globSync(["*.md", "{docs,bench,examples,ops,packages,scripts,sim,src,test}/**/*.md"], {
  cwd: root,
  exclude: ["**/node_modules"],
});

/** The anchors of a page's headings: lower case, words joined by hyphens. */
function anchors(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

for (const page of pages) {
  test(`every relative link of ${page} leads to a file and heading that exist`, () => {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(join(root, file)), target);
      if (anchor !== undefined) assert.ok(anchors(file).includes(anchor), target);
    }
  });
}

test("docs/README.md lists every page of docs/ once, apart from the decisions, which have a list of their own", () => {
  const listed = [...read("docs/README.md").matchAll(/^- \[[^\]]+\]\((?!\.\.)([^)]+)\): /gm)].map(
    ([, page = ""]) => page,
  );
  const existing = globSync("**/*.md", { cwd: join(root, "docs") }).filter(
    (page) => page !== "README.md" && page !== "index.md" && !/^decisions\/\d/.test(page),
  );
  assert.deepEqual(listed.toSorted(), existing.toSorted());
});

test("docs/outages/faults.md lists exactly the faults that test titles name", () => {
  const files = globSync(["test/**/*.ts", "src/stores/conformance/*.ts"], { cwd: root });
  const titles = files.flatMap((file) => [...read(file).matchAll(/["'`][^"'`\n]*\bfault (\d+)(?=[,:])/g)]);
  const named = new Set(titles.map(([, number]) => Number(number)));
  const listed = [...read("docs/outages/faults.md").matchAll(/^\| (\d+) \|/gm)].map(([, number]) =>
    Number(number),
  );
  assert.ok(listed.length > 20);
  assert.deepEqual(
    listed.toSorted((a, b) => a - b),
    [...named].toSorted((a, b) => a - b),
  );
});

test("every npm script and file that a page names exists", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  for (const page of pages) {
    for (const [, script = ""] of read(page).matchAll(/npm run (?:-s )?([\w:-]+)/g)) {
      assert.ok(script in scripts, `${page}: npm run ${script}`);
    }
    for (const [, file = ""] of read(page).matchAll(
      /`((?:src|test|docs|examples|scripts|\.ci)\/[\w./-]+)`/g,
    )) {
      const places = [root, join(root, dirname(page))];
      assert.ok(
        places.some((place) => existsSync(join(place, file))),
        `${page}: ${file}`,
      );
    }
  }
});
