import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** The root of the repository. */
export const root: string = new URL("..", import.meta.url).pathname;

/** A page that docs/README.md lists. */
interface ListedPage {
  readonly title: string;
  /** Its file, from the root of the repository. */
  readonly source: string;
  /** Its file in the site, with the extension `.md`. */
  readonly target: string;
  readonly description: string;
}

/** A section of docs/README.md. */
export interface Group {
  readonly title: string;
  readonly pages: readonly ListedPage[];
}

/** The places in the site of the pages that do not lie in docs/. */
const outside: Readonly<Record<string, string>> = {
  "README.md": "start/sixty-seconds.md",
  "ops/runbook.md": "run/runbook.md",
  "bench/README.md": "why/benchmarks.md",
  "CHANGELOG.md": "changelog.md",
  "SECURITY.md": "security.md",
};

/** The place in the site of a Markdown file of the repository. `null` when the site does not have it. */
export function targetOf(source: string): string | null {
  if (source === "docs/README.md") return "pages.md";
  if (source.startsWith("docs/")) return source.slice("docs/".length).replace(/README\.md$/, "index.md");
  return outside[source] ?? null;
}

/** Reads the groups of docs/README.md, in its order. The navigation, the sidebar and llms.txt follow them. */
export function readGroups(): Group[] {
  const [, ...sections] = readFileSync(`${root}docs/README.md`, "utf8").split(/^## /m);
  return sections.map((section) => {
    const [title = ""] = section.split("\n", 1);
    const lines = [...section.matchAll(/^- \[([^\]]+)\]\(([^)]+)\): (.+)$/gm)];
    const pages = lines.map(([, name = "", link = "", description = ""]) => {
      const [path = ""] = link.split("#");
      const source = posix.join("docs", path);
      const target = targetOf(source);
      if (target === null) throw new Error(`docs/README.md lists ${link}, which has no place in the site`);
      return { title: name, source, target, description };
    });
    return { title, pages };
  });
}
