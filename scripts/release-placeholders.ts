/*
 * Names every placeholder that a release must replace: the addresses in package.json, in the issue forms and in
 * the README of `holdfast-guard`, and the owner in CODEOWNERS. A remaining placeholder is an error with `--release`, which `npm publish` uses.
 */
import { readFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Readonly<Record<string, unknown>>;
const placeholder = /repository\.invalid|maintainers-placeholder/;

const candidates: readonly (readonly [name: string, value: string])[] = [
  ...["repository", "homepage", "bugs"].map(
    (key) => [`package.json: ${key}`, JSON.stringify(manifest[key] ?? "")] as const,
  ),
  ...[".github/ISSUE_TEMPLATE/config.yml", ".github/CODEOWNERS", "packages/guard/README.md"].map(
    (path) => [path, readFileSync(path, "utf8")] as const,
  ),
];
const missing = candidates.filter(([, value]) => value === '""').map(([name]) => name);
const open = candidates.filter(([, value]) => placeholder.test(value)).map(([name]) => name);

for (const name of missing) console.log(`${name} is missing`);
for (const name of open) console.log(`${name} is a placeholder that a release must replace`);
const mayRemain = !process.argv.includes("--release");
if (missing.length > 0 || (open.length > 0 && !mayRemain)) process.exitCode = 1;
