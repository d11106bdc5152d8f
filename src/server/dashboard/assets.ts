import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { bundleDashboard, type DashboardFiles } from "./bundle.ts";
import { builtFolder } from "../../core/package-files.ts";

/** A file of the dashboard as it is sent. */
interface DashboardAsset {
  readonly type: string;
  readonly text: string;
  readonly gzipped: Uint8Array<ArrayBuffer>;
}

/** The paths at which a browser loads the files. None contains data of the service. */
export const dashboardPaths = ["/dashboard.js", "/dashboard.css", "/dashboard-licences.txt"] as const;

export type DashboardAssets = Readonly<Record<(typeof dashboardPaths)[number], DashboardAsset>>;

/** The bundled files in the package, and their source in the repository. */
const folder = builtFolder("dashboard");

/** Reads the files of the dashboard, or bundles them when this process runs from the source. */
export async function loadDashboard(): Promise<DashboardAssets> {
  const files = (await readBundle()) ?? (await bundleDashboard(folder));
  return {
    "/dashboard.js": await toAsset("text/javascript; charset=utf-8", files.script),
    "/dashboard.css": await toAsset("text/css; charset=utf-8", files.style),
    "/dashboard-licences.txt": await toAsset("text/plain; charset=utf-8", files.licences),
  };
}

async function readBundle(): Promise<DashboardFiles | null> {
  try {
    const read = async (name: string) => await readFile(new URL(name, folder), "utf8");
    return {
      script: await read("dashboard.js"),
      style: await read("dashboard.css"),
      licences: await read("LICENCES.txt"),
    };
  } catch {
    return null;
  }
}

async function toAsset(type: string, text: string): Promise<DashboardAsset> {
  return { type, text, gzipped: Uint8Array.from(await promisify(gzip)(text)) };
}
