/* Bundles the entries of the package and the modules that the service starts. The compiler writes the types. */
import manifest from "../package.json" with { type: "json" };
import { bundleLibrary } from "./bundle-library.ts";

/** What the service starts by its file name: the command, a thread, and processes of their own. */
const startedModules = [
  "cli",
  "stores/sqlite/thread-worker",
  "doctor/sqlite-process",
  "drill/api-process",
  "drill/provider-process",
];

const entries = Object.values(manifest.exports)
  .flatMap((entry) => (typeof entry === "string" ? [] : [entry["holdfast-source"]]))
  .map((file) => file.slice("./src/".length, -".ts".length))
  // A bundler of the page's own reads the modules of the browser client, which the compiler writes.
  .filter((name) => !name.startsWith("client/"));

const names = [...entries, ...startedModules];
const input = Object.fromEntries(names.map((name) => [name, `src/${name}.ts`]));
await bundleLibrary(input, { dir: "dist", maps: true });
