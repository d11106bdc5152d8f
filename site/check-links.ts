import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { posix } from "node:path";

/** The addresses that the elements of a page name, without those in its scripts. */
function addresses(html: string): { readonly element: string; readonly address: string }[] {
  const elements = html.replaceAll(/<script\b[^>]*>[^]*?<\/script>/g, (script) => script.split(">")[0] + ">");
  return [...elements.matchAll(/<(\w+)\b[^>]*?\s(?:href|src)="([^"]*)"/g)].map(
    ([, element = "", address = ""]) => ({ element, address: address.replaceAll("&amp;", "&") }),
  );
}

function anchors(html: string): Set<string> {
  return new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id = ""]) => id));
}

/** The file of a site that a server sends for a path. `null` when there is none. */
function fileFor(site: string, path: string): string | null {
  const candidates = path.endsWith("/")
    ? [`${path}index.html`]
    : [path, `${path}.html`, `${path}/index.html`];
  return candidates.find((file) => existsSync(site + file) && statSync(site + file).isFile()) ?? null;
}

/**
 * Returns what is wrong with the links of a built site: a link inside the site that leads to no file or heading, and a
 * script, style, font or image from another host. A link to another host is not followed.
 */
export function findBrokenLinks(site: string): string[] {
  const pages = new Map(
    globSync("**/*.html", { cwd: site }).map((file) => [`/${file}`, readFileSync(`${site}/${file}`, "utf8")]),
  );
  const ids = new Map([...pages].map(([file, html]) => [file, anchors(html)]));
  const problems: string[] = [];
  for (const [page, html] of pages) {
    for (const { element, address } of addresses(html)) {
      if (/^(?:mailto:|data:)/.test(address)) continue;
      if (/^(?:https?:)?\/\//.test(address)) {
        if (element !== "a") problems.push(`${page}: <${element}> loads ${address} from another host`);
        continue;
      }
      const [path = "", anchor] = address.split("#");
      const file =
        path === ""
          ? page
          : fileFor(site, posix.resolve(posix.dirname(page), path) + (/.\/$/.test(path) ? "/" : ""));
      if (file === null) problems.push(`${page}: ${address} leads to no file`);
      else if (
        anchor !== undefined &&
        anchor !== "" &&
        ids.get(file)?.has(decodeURIComponent(anchor)) !== true
      ) {
        problems.push(`${page}: ${address} leads to no heading`);
      }
    }
  }
  for (const file of globSync("**/*.css", { cwd: site })) {
    const [foreign] = /url\(["']?(?:https?:)?\/\/[^)]*\)/.exec(readFileSync(`${site}/${file}`, "utf8")) ?? [];
    if (foreign !== undefined) problems.push(`${file}: ${foreign} comes from another host`);
  }
  return [...new Set(problems)];
}
