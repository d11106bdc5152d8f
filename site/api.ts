import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { dirname, join, relative } from "node:path";
import type { DeclarationReflection, TypeDocOptions } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { readApiEntries, type ApiEntry } from "./api-entries.ts";
import { root } from "./navigation.ts";

const isTypeDoc = (parent: string | undefined) =>
  parent !== undefined && /\/node_modules\/typedoc\b/.test(parent);

/**
 * Lets TypeDoc find TypeScript 6. The repository is compiled with TypeScript 7, which has no such interface. The package
 * `typescript` in a second version would replace the command `tsc`, so the copy of another package takes its place.
 */
function useTypeScript6(): void {
  const require = createRequire(import.meta.url);
  const copy = require.resolve("@ts-morph/common/dist/typescript.js");
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier === "typescript" && isTypeDoc(context.parentURL) ? copy : specifier, context),
  });
  // The copy lacks the declarations of the platform, which TypeScript 7 has beside its command.
  const { ts } = require("@ts-morph/common") as typeof import("@ts-morph/common");
  const compiler = `@typescript/typescript-${process.platform}-${process.arch}`;
  const manifest = createRequire(import.meta.resolve("typescript")).resolve(`${compiler}/package.json`);
  ts.sys.getExecutingFilePath = () => join(dirname(manifest), "lib/typescript.js");
}

const options: Partial<TypeDocOptions & PluginOptions> = {
  plugin: ["typedoc-plugin-markdown"],
  tsconfig: `${root}site/tsconfig.api.json`,
  router: "module",
  // The compiler of the repository has checked the source.
  skipErrorChecking: true,
  readme: "none",
  excludePrivate: true,
  excludeInternal: true,
  disableSources: true,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  hideGenerator: true,
  logLevel: "Error",
  groupOrder: ["Functions", "Classes", "Variables", "Interfaces", "Type Aliases"],
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeAliasPropertiesFormat: "table",
  propertyMembersFormat: "table",
  tableColumnSettings: { hideInherited: true, hideModifiers: true, hideSources: true, hideOverrides: true },
  pageTitleTemplates: { module: ({ name }) => (name === "holdfast" ? name : `holdfast/${name}`) },
};

/** Writes a page for each entry of the package from its docstrings, and a list of them, into a folder. */
export async function writeApi(folder: string): Promise<void> {
  const entries = readApiEntries();
  useTypeScript6();
  const { Application, TSConfigReader, Converter } = await import("typedoc");
  const entryPoints = entries.map(({ source }) => source);
  const app = await Application.bootstrapWithPlugins({ ...options, entryPoints, out: folder }, [
    new TSConfigReader(),
  ]);
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) =>
    nameModules(project.children ?? [], entries),
  );
  const project = await app.convert();
  if (project === undefined) throw new Error("TypeDoc could not read the entries of package.json");
  await app.generateOutputs(project);
  for (const entry of entries) mendAnchors(folder, entry);
  for (const entry of entries) introduce(folder, entry);
  rmSync(`${folder}README.md`, { force: true });
  writeFileSync(`${folder}index.md`, list(entries, folder));
}

/** Names each module by the entry that exports it. The pages and links follow the names. */
function nameModules(modules: readonly DeclarationReflection[], entries: readonly ApiEntry[]): void {
  for (const module of modules) {
    const entry = entries.find(({ source }) => moduleName(source) === module.name);
    if (entry === undefined) throw new Error(`the API reference has no entry for ${module.name}`);
    module.name = entry.page;
  }
}

/** The name that TypeDoc gives to the module of a file. */
const moduleName = (source: string) => relative(`${root}src`, source).replace(/(?:\/index)?\.ts$/, "");

/**
 * Mends the links to a type such as `GuardStatus`. TypeDoc numbers its anchor when a method has the same letters, as
 * `Guard.status` has, although the method has no heading with these letters.
 */
function mendAnchors(folder: string, { page }: ApiEntry): void {
  const file = `${folder}${page}.md`;
  const text = readFileSync(file, "utf8");
  const mended = text.replaceAll(
    /\]\(([\w./-]*)#([\w-]+)-(\d)\)/g,
    (link, path: string, anchor: string, count: string) => {
      const target = path === "" ? text : readFileSync(join(dirname(file), path), "utf8");
      const headings = target.match(new RegExp(`^#+ ${anchor}(?:\\(\\))?$`, "gim")) ?? [];
      return headings.length > Number(count) ? link : `](${path}#${anchor})`;
    },
  );
  writeFileSync(file, mended);
}

/** Begins the page of an entry with its import. */
function introduce(folder: string, { specifier, page, inGuard }: ApiEntry): void {
  const file = `${folder}${page}.md`;
  const [title = "", ...rest] = readFileSync(file, "utf8").split("\n");
  const other = `\`${specifier.replace("holdfast", "holdfast-guard")}\``;
  const sentence =
    inGuard === null
      ? `Import it from \`${specifier}\`.`
      : `Import it from \`${specifier}\` or ${other}.${inGuard === "all" ? "" : " The second has the part that guards, and nothing of the issuer."}`;
  writeFileSync(file, [title, "", sentence, ...rest].join("\n"));
}

const inGuardWords = { all: "yes", part: "the part that guards" };

/** The page that lists all entries with their functions and classes. */
function list(entries: readonly ApiEntry[], folder: string): string {
  const rows = entries.map(({ specifier, page, inGuard }) => {
    const sections = readFileSync(`${folder}${page}.md`, "utf8").split(/^## /m);
    const named = sections.filter((section) => /^(?:Functions|Classes|Variables)\n/.test(section));
    const names = named.flatMap((section) =>
      [...section.matchAll(/^### (\w+)/gm)].map(([, name]) => `\`${name}\``),
    );
    return `| [\`${specifier}\`](${page}.md) | ${names.join(", ")} | ${inGuard === null ? "no" : inGuardWords[inGuard]} |`;
  });
  return `# API

You look for a function, a class or a type. Each entry of the package has a page, made from the comments in its source.

| import from | functions, classes and values | also in \`holdfast-guard\` |
| --- | --- | --- |
${rows.join("\n")}
`;
}
