import { isBuiltin } from "node:module";
import { rolldown } from "rolldown";
import manifest from "../package.json" with { type: "json" };

/** What the service starts by its file name: the command, a thread, and processes of their own. */
const startedModules = [
  "cli",
  "stores/sqlite/thread-worker",
  "doctor/sqlite-process",
  "drill/api-process",
  "drill/provider-process",
];

/** Rooms whose modules are always loaded together. The modules of other rooms are grouped by the entries that need them. */
const wholeRooms = ["core", "jwt", "resilience", "guard", "issuer"];

/** Dependencies that load a native program, which no bundle can contain. */
const NATIVE = /^@node-rs\//;

/** A peer dependency that the service loads itself, when its store is Redis. */
const REDIS = "redis";

/** Whether a bundle with its dependencies leaves a module outside: a native program or a framework. */
function isAlwaysOutside(specifier: string, importer: string | undefined): boolean {
  if (/^[./]/.test(specifier)) return false;
  if (isBuiltin(specifier) || NATIVE.test(specifier)) return true;
  const isOwnImport = importer?.includes("/node_modules/") !== true;
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  return isOwnImport && name !== REDIS && !(name in manifest.dependencies);
}

/**
 * Bundles modules of `src` into few files of `dir`, because a process that starts would otherwise read some 150. Dependencies
 * stay outside, unless `dependencies` is `"inside"`. `input` has the source of each file that others import, by its path below `dir` without `.js`.
 * The maps lead to the source and do not contain it.
 */
export async function bundleLibrary(
  input: Record<string, string>,
  {
    dir,
    maps,
    dependencies = "outside",
  }: { dir: string; maps: boolean; dependencies?: "inside" | "outside" },
): Promise<void> {
  const external = dependencies === "outside" ? /^[^./]/ : isAlwaysOutside;
  const bundle = await rolldown({ input, platform: "node", external });
  await bundle.write({
    dir,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name].js",
    // The types have the comments.
    comments: { legal: true, annotation: true, jsdoc: false },
    sourcemap: maps,
    sourcemapExcludeSources: true,
    codeSplitting: {
      groups: [
        // It must be two levels below the package, and its `import.meta` cannot be translated to CommonJS.
        { name: "package-files", test: /\/src\/core\/package-files\.ts$/ },
        ...wholeRooms.map((room) => ({ name: room, test: new RegExp(`/src/${room}/`) })),
      ],
    },
  });
  await bundle.close();
}

/** The input of the bundle of `holdfast`: the entries of the package and the modules that the service starts. */
export function libraryInput(): Record<string, string> {
  const entries = Object.values(manifest.exports)
    .flatMap((entry) => (typeof entry === "string" ? [] : [entry["holdfast-source"]]))
    .map((file) => file.slice("./src/".length, -".ts".length))
    // A bundler of the page's own reads the modules of the browser client, which the compiler writes.
    .filter((name) => !name.startsWith("client/"));
  return Object.fromEntries([...entries, ...startedModules].map((name) => [name, `src/${name}.ts`]));
}
