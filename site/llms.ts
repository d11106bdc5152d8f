import { readFileSync, writeFileSync } from "node:fs";
import type { Group } from "./navigation.ts";

/**
 * Writes `llms.txt`, a list of all pages, and `llms-full.txt`, their complete text, into the site. See https://llmstxt.org.
 * The Markdown of each page lies beside its HTML.
 */
export function writeLlms(
  groups: readonly Group[],
  summary: string,
  stageFolder: string,
  site: string,
): void {
  const head = `# Holdfast\n\n> ${summary}\n`;
  const lists = groups.map(({ title, pages }) =>
    [`## ${title}\n`, ...pages.map((page) => `- [${page.title}](${page.target}): ${page.description}`)].join(
      "\n",
    ),
  );
  writeFileSync(`${site}llms.txt`, `${[head, ...lists].join("\n\n")}\n`);
  const texts = groups
    .flatMap(({ pages }) => pages)
    .map(({ target }) => `<!-- ${target} -->\n\n${readFileSync(stageFolder + target, "utf8").trim()}\n`);
  writeFileSync(`${site}llms-full.txt`, [head, ...texts].join("\n"));
}
