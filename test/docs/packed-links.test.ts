import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The files of the tarball, without those that a build would add. */
function packedFiles(): string[] {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const listed = JSON.parse(execFileSync("npm", args, { cwd: root, encoding: "utf8" })) as Record<
    string,
    { readonly files: readonly { readonly path: string }[] }
  >;
  // Versions of npm answer with a list, or with the packages by their names.
  return Object.values(listed).flatMap(({ files }) => files.map(({ path }) => path));
}

test("every relative link of a page in the tarball leads to a file or folder of the tarball", () => {
  const files = packedFiles();
  const places = new Set(files);
  for (const file of files) {
    for (let folder = posix.dirname(file); folder !== "."; folder = posix.dirname(folder)) places.add(folder);
  }
  const pages = files.filter((file) => file.endsWith(".md"));
  assert.ok(pages.length >= 80);
  const broken = pages.flatMap((page) =>
    [...readFileSync(root + page, "utf8").matchAll(/\]\(([^)\s#]+)[^)\s]*\)/g)]
      .map(([, target = ""]) => target)
      // The registry shows the images of the repository, and an editor has no need of them.
      .filter((target) => !/^[a-z]+:/.test(target) && !target.endsWith(".png"))
      .filter((target) => !places.has(posix.join(posix.dirname(page), target).replace(/\/$/, "")))
      .map((target) => `${page}: ${target}`),
  );
  assert.deepEqual(broken, []);
});
