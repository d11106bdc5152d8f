import { readFileSync } from "node:fs";
import { guardEntries } from "../scripts/guard-package.ts";
import { root } from "./navigation.ts";

/** An entry of the package that has a page in the API reference. */
export interface ApiEntry {
  /** The specifier of its import, such as `holdfast/express`. */
  readonly specifier: string;
  /** Its page, relative to the folder of the reference and without an extension. */
  readonly page: string;
  readonly source: string;
  /** How much of it the package `holdfast-guard` has: `null` when it lacks the entry. */
  readonly inGuard: "all" | "part" | null;
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly "holdfast-source": string }>>;
}

/** Reads the entries of package.json, in its order. */
export function readApiEntries(): ApiEntry[] {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as Manifest;
  return Object.entries(exports).flatMap(([path, entry]) => {
    if (typeof entry === "string") return [];
    const page = path === "." ? "holdfast" : path.slice(2);
    const specifier = path === "." ? "holdfast" : `holdfast/${page}`;
    const source = root + entry["holdfast-source"].slice(2);
    const guard = guardEntries[path];
    const inGuard = guard === undefined ? null : guard.source === guard.name ? "all" : "part";
    return [{ specifier, page, source, inGuard }];
  });
}
