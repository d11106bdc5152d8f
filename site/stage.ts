import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, posix } from "node:path";
import { readGroups, root, targetOf } from "./navigation.ts";

/** The folder from which VitePress builds. The build writes nothing into docs/. */
export const stageFolder: string = `${root}site/.stage/`;

const { homepage } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { homepage: string };

/** Copies the pages and images of the site to its folder. Links that leave the site lead to the repository. */
export function stage(): void {
  rmSync(stageFolder, { recursive: true, force: true });
  const listed = readGroups().flatMap(({ pages }) => pages.map(({ source }) => source));
  const own = globSync("docs/**/*.md", { cwd: root });
  for (const source of new Set([...listed, ...own])) stagePage(source);
  cpSync(`${root}docs/images`, `${stageFolder}images`, { recursive: true });
  cpSync(`${root}site/icon.svg`, `${stageFolder}public/icon.svg`);
}

/** Copies one page, with its links rewritten. */
export function stagePage(source: string): void {
  const target = targetOf(source);
  if (target === null) throw new Error(`${source} has no place in the site`);
  const text = rewriteLinks(readPage(source), source, target);
  mkdirSync(dirname(stageFolder + target), { recursive: true });
  writeFileSync(stageFolder + target, text);
}

/** Reads a page. The site has one section of the README, as a page of its own. */
export function readPage(source: string): string {
  const text = readFileSync(root + source, "utf8");
  if (source !== "README.md") return text;
  const section = text.split(/^## /m).find((one) => one.startsWith("Sixty seconds\n"));
  if (section === undefined) throw new Error('README.md has no section "Sixty seconds"');
  return `# ${section}`;
}

/** Replaces the relative links of a page, outside of code. */
function rewriteLinks(text: string, source: string, target: string): string {
  const parts = text.split(/(^```[^]*?^```$)/m);
  return parts
    .map((part) =>
      part.startsWith("```")
        ? part
        : part.replaceAll(/\]\(([^)\s]+)\)/g, (_, link: string) => `](${siteLink(link, source, target)})`),
    )
    .join("");
}

/** The link in the site for a link in a page of the repository. */
function siteLink(link: string, source: string, target: string): string {
  if (/^[a-z]+:/.test(link) || link.startsWith("#") || link.startsWith("/")) return link;
  const [path = "", anchor] = link.split("#");
  const file = posix.join(posix.dirname(source), path).replace(/\/$/, "");
  if (!existsSync(root + file)) throw new Error(`${source}: the link ${link} leads to no file`);
  const suffix = anchor === undefined ? "" : `#${anchor}`;
  const place = file.startsWith("docs/images/") ? file.slice("docs/".length) : placeOf(file, anchor);
  if (place !== null) return posix.relative(posix.dirname(target), place) + suffix;
  const kind = statSync(root + file).isDirectory() ? "tree" : "blob";
  return `${homepage}/${kind}/main/${file}${suffix}`;
}

/** The page of the site that has this place of a file. `null` when only the repository has it. */
function placeOf(file: string, anchor: string | undefined): string | null {
  return file === "README.md" && anchor !== "sixty-seconds" ? null : targetOf(file);
}
