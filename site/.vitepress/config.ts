import type { DefaultTheme, UserConfig } from "vitepress";
import { readApiEntries } from "../api-entries.ts";
import { readGroups } from "../navigation.ts";

const groups = readGroups();
const linkOf = (target: string) => `/${target.replace(/(?:index)?\.md$/, "")}`;

const api = {
  text: "API",
  link: "/reference/api/",
  collapsed: true,
  items: readApiEntries().map(({ specifier, page }) => ({ text: specifier, link: `/reference/api/${page}` })),
};

/** The anchor of a heading, as the host of the repository makes it. Links of pages work in both places. */
const slugify = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

const config: UserConfig<DefaultTheme.Config> = {
  title: "Holdfast",
  description: "Token authentication that stays correct and stays up when the things around it do not",
  lang: "en",
  srcDir: ".stage",
  outDir: "../dist-site",
  cacheDir: "../node_modules/.cache/vitepress",
  head: [["link", { rel: "icon", href: "/icon.svg", type: "image/svg+xml" }]],
  markdown: {
    anchor: { slugify },
    // The highlighter does not know this language. The syntax of nginx is the nearest.
    languageAlias: { haproxy: "nginx" },
  },
  // The index of the search is one file.
  vite: { build: { chunkSizeWarningLimit: 4_000 } },
  themeConfig: {
    nav: ["Start", "Providers", "Frameworks", "Clients", "Run it", "Reference"].flatMap((title) => {
      const first = groups.find((group) => group.title === title)?.pages[0];
      if (first === undefined) return [];
      const folder = first.target.split("/")[0] ?? "";
      return [{ text: title, link: linkOf(first.target), activeMatch: `^/${folder}/` }];
    }),
    sidebar: groups.map(({ title, pages }) => ({
      text: title,
      collapsed: true,
      items: [
        ...pages.map((page) => ({ text: page.title, link: linkOf(page.target) })),
        ...(title === "Reference" ? [api] : []),
      ],
    })),
    outline: { level: [2, 3] },
    search: { provider: "local" },
    docFooter: { prev: false, next: false },
  },
};

export default config;
