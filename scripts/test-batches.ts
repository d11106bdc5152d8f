import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

/*
 * The start of a process costs more than most test files, and the start of a browser even more. Files that start no
 * process and change nothing of their own share one process, in which they run one after the other. Files with pages in
 * Chromium share a process with one browser, in which each page has a context of its own.
 */

/** What only a file with a process of its own may name. */
const changesProcess =
  /process\.|globalThis|mock\.|child_process|worker_threads|async_hooks|diagnostics_channel|playwright|redis-servers|registerHooks|opentelemetry|tracing-fixture|service-process|cli-process|support\/faults|kill-rounds|packed-packages|compile-modules|^(?:before|after)(?:Each)?\(/m;

/** Long tests of many examples and of whole programs. They gain nothing, and the other core runs beside them. */
const isLong = /support\/examples|fc\.scheduler\(|coming-from\//;

/** The files of this folder did not end in one process. The reason is not known yet. */
const doesNotEnd = /\/test\/testing\/[^/]+$/;

/** The module that starts Chromium, as a test imports it. */
const importsChromium = /from "\.[./\w-]*\/chromium\.ts"/;
/** What a file with pages may not name when it shares a browser. Its pages have `globalThis`, and its hooks open pages. */
const needsOwnBrowser = /process\.|mock\.|child_process/;

/** A shared process ends within the time limit of a file on a machine that is ten times overloaded. */
const MAX_FILES = 6;
const chromium = resolve("test/browser/chromium.ts");

/** Several test files that run in one process. `entry` is the module that loads them. */
export interface Batch {
  readonly entry: string;
  readonly files: readonly string[];
}

/** Divides test files into those that run in a process of their own, and batches of a folder. */
export function divideIntoBatches(files: readonly string[]): {
  readonly alone: readonly string[];
  readonly batches: readonly Batch[];
} {
  const alone: string[] = [];
  const groups = new Map<string, { readonly hasPages: boolean; readonly members: string[] }>();
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    const hasPages = importsChromium.test(text);
    if (
      doesNotEnd.test(file) ||
      isLong.test(text) ||
      (hasPages ? needsOwnBrowser : changesProcess).test(text)
    ) {
      alone.push(file);
      continue;
    }
    const name = `${relative(resolve("test"), dirname(file))}${hasPages ? " pages" : ""}`;
    const group = groups.get(name) ?? { hasPages, members: [] };
    groups.set(name, group);
    group.members.push(file);
  }
  const folder = mkdtempSync(join(tmpdir(), "holdfast-test-batches-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const batches: Batch[] = [];
  for (const [name, { hasPages, members }] of groups) {
    for (let from = 0; from < members.length; from += MAX_FILES) {
      const some = members.slice(from, from + MAX_FILES);
      // The watchdogs look for names of test files.
      const entry = join(folder, `batch-${batches.length}-${name.replaceAll(/\W+/g, "-")}.test.mjs`);
      if (some.length === 1) alone.push(...some);
      else batches.push(writeBatch(entry, some, hasPages));
    }
  }
  return { alone, batches };
}

/** Writes the module that loads the files. No test starts before all files are loaded. */
function writeBatch(entry: string, files: readonly string[], hasPages: boolean): Batch {
  const browser = [
    `const { noChromium, startChromium } = await import(${JSON.stringify(chromium)});`,
    "const browser = noChromium ? null : await startChromium();",
    "after(async () => await browser?.close());",
  ];
  const lines = [
    'import { after, before } from "node:test";',
    ...(hasPages ? browser : []),
    "const load = async () => {",
    ...files.map((file) => `  await import(${JSON.stringify(file)});`),
    "};",
    "const loaded = load();",
    "before(async () => await loaded);",
    "await loaded;",
    "",
  ];
  writeFileSync(entry, lines.join("\n"));
  return { entry, files };
}
