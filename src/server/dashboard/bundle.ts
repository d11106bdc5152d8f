import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** The files of the dashboard that a browser loads. */
export interface DashboardFiles {
  readonly script: string;
  readonly style: string;
  /** The licences of the libraries inside the script. */
  readonly licences: string;
}

/** The libraries whose code is in the bundle. */
const libraries = ["preact", "uplot"];

/**
 * Bundles the dashboard from its source. `npm run build` writes the result into the package, so only a repository has
 * the dev dependencies that this needs.
 */
export async function bundleDashboard(source: URL): Promise<DashboardFiles> {
  const { build, stop } = await import("esbuild");
  try {
    const { outputFiles } = await build({
      entryPoints: { dashboard: path(source, "main.tsx"), style: path(source, "style/dashboard.css") },
      outdir: "/",
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      target: "es2023",
      jsx: "automatic",
      jsxImportSource: "preact",
      legalComments: "none",
      logLevel: "silent",
    });
    const text = (end: string) => outputFiles.find((file) => file.path.endsWith(end))?.text ?? "";
    return { script: text(".js"), style: text(".css"), licences: await readLicences() };
  } finally {
    await stop();
  }
}

async function readLicences(): Promise<string> {
  const texts = libraries.map(async (name) => {
    // A package need not export its licence, so its folder is found by its entry.
    const entry = import.meta.resolve(name);
    const folder = entry.slice(0, entry.lastIndexOf(`/${name}/`) + name.length + 2);
    return `${name}\n\n${(await readFile(new URL("LICENSE", folder), "utf8")).trim()}\n`;
  });
  return (await Promise.all(texts)).join("\n---\n\n");
}

function path(base: URL, name: string): string {
  return fileURLToPath(new URL(name, base));
}
