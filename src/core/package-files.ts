/* Addresses of files of this package. The source of this module and its bundle, `dist/chunks`, are two levels below it. */

/** Returns the address of a file that the package contains, such as `ops/prometheus/holdfast.rules.yml`. */
export function packageFile(path: string): URL {
  return new URL(`../../${path}`, import.meta.url);
}

/** Returns the address of a folder of the source, or of the build when this process runs from it. */
export function builtFolder(name: string): URL {
  return packageFile(`${runsFromSource() ? "src" : "dist"}/${name}/`);
}

/** Returns the address of a module that a thread or process of its own runs, such as `drill/api-process`. */
export function startedModule(name: string): URL {
  return packageFile(runsFromSource() ? `src/${name}.ts` : `dist/${name}.js`);
}

function runsFromSource(): boolean {
  return import.meta.url.endsWith(".ts");
}
