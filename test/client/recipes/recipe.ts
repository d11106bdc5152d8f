import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundle } from "../web-app.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const page = readFileSync(`${root}docs/clients/recipes.md`, "utf8");

/** The code of each recipe in docs/clients/recipes.md, by name. */
export const recipes: ReadonlyMap<string, string> = new Map(
  [...page.matchAll(/^```js\n\/\/ recipe: (.+)\n([^]*?)^```/gm)].map(([, name = "", code = ""]) => [
    name,
    code,
  ]),
);

/** Bundles a script that imports the recipe as `recipe`, and the client of the page as `auth`. */
export async function bundleWithRecipe(name: string, script: string): Promise<string> {
  const code = recipes.get(name);
  if (code === undefined) throw new Error(`docs/clients/recipes.md has no recipe ${name}`);
  const contents = `
    import * as recipe from "recipe";
    import { createAuthClient } from "holdfast/client";
    globalThis.origins = Object.fromEntries(new URLSearchParams(globalThis.location?.search));
    const inPage = typeof document !== "undefined";
    const auth = inPage ? (globalThis.auth = createAuthClient({ baseUrl: origins.id, origins: [origins.api] })) : null;
    ${script}`;
  return await bundle({
    stdin: { contents, resolveDir: root, loader: "js" },
    plugins: [
      {
        name: "recipe",
        setup(builder) {
          builder.onResolve({ filter: /^recipe$/ }, () => ({ path: "recipe", namespace: "recipe" }));
          builder.onLoad({ filter: /.*/, namespace: "recipe" }, () => ({
            contents: code,
            resolveDir: root,
            loader: "js",
          }));
        },
      },
    ],
  });
}
