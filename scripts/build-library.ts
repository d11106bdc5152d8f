/*
 * Bundles the modules of each entry of the package into few files of `dist`, because a process that starts would
 * otherwise read some 150. Dependencies stay outside. The types are those that the compiler writes for each module.
 */
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

const names = Object.values(manifest.exports)
  .flatMap((entry) => (typeof entry === "string" ? [] : [entry["holdfast-source"]]))
  .map((file) => file.slice("./src/".length, -".ts".length))
  // A bundler of the page's own reads the modules of the browser client, which the compiler writes.
  .filter((name) => !name.startsWith("client/"));

const input = Object.fromEntries([...names, ...startedModules].map((name) => [name, `src/${name}.ts`]));
const bundle = await rolldown({ input, platform: "node", external: /^[^./]/ });
await bundle.write({
  dir: "dist",
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "chunks/[name].js",
  // The types have the comments.
  comments: { legal: true, annotation: true, jsdoc: false },
  sourcemap: true,
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
