/*
 * What the package `holdfast-guard` consists of: the entries of `holdfast` that guard, and a manifest that follows from
 * the one of `holdfast`. `docs/decisions/0025-two-packages.md` says why there are two packages.
 */
import root from "../package.json" with { type: "json" };

/** The entries that need what the second package does not have: the issuer, its stores and its libraries. */
const wholeOnly = new Set([
  "./hono-issuer",
  "./issuer",
  "./memory",
  "./sqlite",
  "./store-conformance",
  "./store-kit",
]);

/** The modules of which only a part guards, and the module with that part. Modules are paths below `src`, without `.ts`. */
const guardingParts: Readonly<Record<string, string>> = {
  "adapters/express": "adapters/express/protect",
  "adapters/fastify": "adapters/fastify/protect",
  "adapters/node-http": "adapters/node-http/protect",
  "stores/redis": "stores/redis/shared-answers",
};

/** The versions that fit the types, where `holdfast` brings one version along. */
const peerRanges: Readonly<Record<string, string>> = { "prom-client": "^15.0.0" };

/** An entry of the package. */
interface GuardEntry {
  /** The module of the entry in `holdfast`, and the path of its file in both packages. */
  readonly name: string;
  /** The module that has what the entry exports here. */
  readonly source: string;
}

/** The entries by their subpath, such as `./express`. */
export const guardEntries: Readonly<Record<string, GuardEntry>> = Object.fromEntries(
  Object.entries(root.exports).flatMap(([path, entry]) => {
    if (typeof entry === "string" || wholeOnly.has(path)) return [];
    const name = entry["holdfast-source"].slice("./src/".length, -".ts".length);
    return [[path, { name, source: guardingParts[name] ?? name }]];
  }),
);

interface Imported {
  /** The packages that the code imports. */
  readonly byCode: ReadonlySet<string>;
  /** The packages that the types import. */
  readonly byTypes: ReadonlySet<string>;
}

/**
 * Returns the manifest. A library that `holdfast` brings along stays a dependency when the code imports it. Libraries that
 * only the types import are optional peers, as those that the user of `holdfast` chooses.
 */
export function guardManifest({ byCode, byTypes }: Imported): object {
  const brought: Readonly<Record<string, string>> = root.dependencies;
  const dependencies: Record<string, string> = {};
  const peers: Record<string, string> = { ...root.peerDependencies };
  for (const name of new Set([...byCode, ...byTypes])) {
    const version = brought[name];
    if (name in peers) continue;
    if (version === undefined)
      throw new Error(`holdfast-guard imports ${name}, which package.json does not name`);
    if (byCode.has(name)) dependencies[name] = version;
    else peers[name] = peerRanges[name] ?? version;
  }
  const peerDependencies = Object.fromEntries(Object.entries(peers).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const { version, keywords, homepage, bugs, license, repository, engines } = root;
  return {
    name: "holdfast-guard",
    version,
    description: "Validates access tokens, and stays up when the provider does not",
    keywords,
    homepage,
    bugs,
    license,
    repository,
    files: ["dist", "CHANGELOG.md"],
    type: "module",
    sideEffects: false,
    exports: {
      ...Object.fromEntries(
        Object.entries(guardEntries).map(([path, { name }]) => [path, `./dist/${name}.js`]),
      ),
      "./package.json": "./package.json",
    },
    dependencies,
    peerDependencies,
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(peerDependencies).map((name) => [name, { optional: true }]),
    ),
    engines,
  };
}
