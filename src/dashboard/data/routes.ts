/** The views in the order of the navigation. The key follows `g`. */
export const routes = [
  { path: "now", title: "Now", key: "n" },
  { path: "timeline", title: "Timeline", key: "l" },
  { path: "traffic", title: "Traffic", key: "t" },
  { path: "keys", title: "Keys and revocations", key: "k" },
  { path: "sessions", title: "Sessions", key: "s" },
  { path: "refreshes", title: "Refreshes", key: "r" },
  { path: "connections", title: "Connections", key: "c" },
  { path: "stores", title: "Stores", key: "o" },
  { path: "audit", title: "Audit", key: "a" },
  { path: "token", title: "Token", key: "x" },
  { path: "settings", title: "Settings", key: "e" },
] as const;

export type RoutePath = (typeof routes)[number]["path"];

/** The view that the fragment of the address names. The first one for any other fragment. */
export function routeOf(hash: string): (typeof routes)[number] {
  const wanted = hash.replace(/^#\/?/, "");
  return routes.find(({ path }) => path === wanted) ?? routes[0];
}
