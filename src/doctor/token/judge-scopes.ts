import { claimAt, isClaimPath } from "../../core/claim-path.ts";
import { isRecord } from "../../core/json.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { ScopeSets } from "../../guard/issuers/scope-sets.ts";
import { ok, warn, type Finding } from "../finding.ts";
import { isKeycloakClient } from "./guess-preset.ts";

type Claims = Readonly<JwtClaims>;

/** The default of `scopesFrom`. */
const DEFAULT_SCOPES_FROM: readonly string[] = ["scope", "scp"];

/** Claims in which providers keep roles and rights, beside those of scopes. */
const ROLE_PATHS = [
  "realm_access.roles",
  "roles",
  "permissions",
  "groups",
  "cognito:groups",
  "scp",
  "scope",
  "app_metadata.roles",
];

/** Scopes decide at a route, so a token that grants none is worth a look. */
export function judgeScopes(claims: Claims, scopesFrom: readonly string[]): Finding {
  const scopes = new ScopeSets(scopesFrom).scopesOf(claims);
  const unread = unreadNames(claims, scopesFrom);
  if (unread.length === 0) {
    return ok(scopes.length === 0 ? "it grants no scope" : `it grants the scopes ${scopes.join(", ")}`);
  }
  const granted = scopes.length === 0 ? "it grants no scope" : `it grants ${scopes.join(", ")}`;
  const advice = `scopesFrom: ${JSON.stringify([...scopesFrom, ...unread])}, if these are rights in your API`;
  const detail = `${granted}; there are further names in ${unread.join(", ")}, which are not read`;
  return scopes.length === 0 ? warn(detail, advice) : ok(`${detail} (${advice})`);
}

/**
 * The `scopesFrom` that reads the roles of a token, for a provider without a preset. `null` when the default reads them.
 * Roles of a client in Keycloak are rights in the API of that client only.
 */
export function proposeScopesFrom(
  claims: Claims,
  audience: string | readonly string[] | null,
): readonly string[] | null {
  const apis = [audience ?? []].flat().filter((one) => !isKeycloakClient(one));
  const own = new Set(apis.map(rolesOfClient));
  const others = new Set(clientsWithRoles(claims).filter((path) => !own.has(path)));
  const unread = unreadNames(claims, DEFAULT_SCOPES_FROM).filter((path) => !others.has(path));
  return unread.length === 0 ? null : [...DEFAULT_SCOPES_FROM, ...unread];
}

/** Says which claims the proposed lines read, because only the reader knows whether they hold rights in the API. */
export function adviseRights(scopesFrom: readonly string[]): readonly Finding[] {
  const added = scopesFrom.filter((path) => !DEFAULT_SCOPES_FROM.includes(path));
  if (added.length === 0) return [];
  const detail = `the lines read scopes from ${added.join(", ")}, too; remove from scopesFrom what does not hold rights in your API`;
  return [ok(detail)];
}

/** The claims with names that may be rights, and that `scopesFrom` does not read. */
function unreadNames(claims: Claims, scopesFrom: readonly string[]): readonly string[] {
  const read = new Set(scopesFrom.includes("scope") ? [...scopesFrom, "scp"] : scopesFrom);
  const paths = [...ROLE_PATHS, ...clientsWithRoles(claims), ...namespacedRoles(claims)];
  return paths.filter((path) => !read.has(path) && isClaimPath(path) && hasNames(claimAt(claims, path)));
}

/** Keycloak keeps the roles of each client apart. */
function clientsWithRoles(claims: Claims): string[] {
  const resources = claims["resource_access"];
  return isRecord(resources) ? Object.keys(resources).map(rolesOfClient) : [];
}

function rolesOfClient(client: string): string {
  return `resource_access.${client}.roles`;
}

/** Auth0 and others write claims of an application under names that are URLs. */
function namespacedRoles(claims: Claims): string[] {
  return Object.keys(claims).filter((name) => /^https?:\/\/.+\/(?:roles|permissions|groups)$/.test(name));
}

function hasNames(value: unknown): boolean {
  return Array.isArray(value)
    ? value.some((one) => typeof one === "string")
    : typeof value === "string" && value !== "";
}
