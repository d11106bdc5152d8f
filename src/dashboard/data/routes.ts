/** The views in the order of the navigation. The key follows `g`. */
export const routes = [{ path: "now", title: "Now", key: "n" }] as const;

export type RoutePath = (typeof routes)[number]["path"];

/** The view that the fragment of the address names. The first one for any other fragment. */
export function routeOf(hash: string): (typeof routes)[number] {
  const wanted = hash.replace(/^#\/?/, "");
  return routes.find(({ path }) => path === wanted) ?? routes[0];
}
