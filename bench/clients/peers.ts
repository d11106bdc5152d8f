import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { betterAuthServer } from "./servers/better-auth.ts";
import type { AuthServer, ServerOptions } from "./servers/auth-server.ts";
import { holdfastServer } from "./servers/holdfast.ts";
import { homeMadeServer } from "./servers/home-made.ts";
import { openIdServer } from "./servers/openid.ts";
import { supabaseServer } from "./servers/supabase.ts";

interface PeerDefinition {
  readonly createServer: (options: ServerOptions) => AuthServer;
  /** The file in `page/`. */
  readonly page: string;
  /** The package of the library. `null` when the client is part of this repository. */
  readonly package: string | null;
  /** Options that differ from the defaults, for a second row of the same library. */
  readonly define?: Readonly<Record<string, string>>;
}

export type PeerName =
  | "holdfast"
  | "home-made"
  | "supabase-js"
  | "auth0-spa-js"
  | "auth0-spa-js, refresh tokens"
  | "oidc-client-ts"
  | "better-auth";

export const peers: Readonly<Record<PeerName, PeerDefinition>> = {
  holdfast: { createServer: holdfastServer, page: "holdfast", package: null },
  "home-made": { createServer: homeMadeServer, page: "home-made", package: null },
  "supabase-js": { createServer: supabaseServer, page: "supabase", package: "@supabase/auth-js" },
  "auth0-spa-js": {
    createServer: openIdServer,
    page: "auth0",
    package: "@auth0/auth0-spa-js",
    define: { AUTH0_OPTIONS: "{}" },
  },
  "auth0-spa-js, refresh tokens": {
    createServer: openIdServer,
    page: "auth0",
    package: "@auth0/auth0-spa-js",
    define: { AUTH0_OPTIONS: '{"useRefreshTokens":true,"cacheLocation":"localstorage"}' },
  },
  "oidc-client-ts": { createServer: openIdServer, page: "oidc-client", package: "oidc-client-ts" },
  "better-auth": { createServer: betterAuthServer, page: "better-auth", package: "better-auth" },
};

export const peerNames: readonly PeerName[] = Object.keys(peers) as PeerName[];

const here = fileURLToPath(new URL(".", import.meta.url));

/** Bundles the page of a peer, as its application would. */
export async function bundlePeer(name: PeerName): Promise<string> {
  const { page, define } = peers[name];
  const { outputFiles } = await build({
    entryPoints: [`${here}page/${page}.ts`],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["holdfast-source"],
    define: { "process.env.NODE_ENV": '"production"', ...define },
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}

/** The version of the library. */
export function versionOf(name: PeerName): string {
  const { package: library } = peers[name];
  if (library === null) return "this commit";
  const file = `${here}../../node_modules/${library}/package.json`;
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
