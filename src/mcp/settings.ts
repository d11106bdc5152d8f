import { systemEntropy } from "../core/entropy.ts";
import { createConnections, type Connections } from "../connections/index.ts";
import { invalidValue } from "../core/option-values.ts";
import { invalidOption, option, readOptions, requireMethods, type OptionTable } from "../core/options.ts";
import { copyRules, type Rules } from "../core/rules.ts";
import type { Guard } from "../guard/types.ts";
import { metadataUrlOf, ownMetadataNames, type McpMetadata } from "./metadata.ts";
import { SessionBinding } from "./session-binding.ts";
import type { McpResourceOptions } from "./types.ts";

const MIN_SECRET_BYTES = 32;

interface ReadMcpOptions {
  readonly guard: Guard<unknown>;
  readonly resource: string;
  readonly authorizationServers: readonly string[] | null;
  readonly rules: Rules;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly sessionSecret: Uint8Array | null;
  readonly connections: Connections<unknown> | null;
}

/** The options of `createMcpResource`, with their defaults. */
export const mcpOptionTable: OptionTable<ReadMcpOptions> = {
  guard: option((_, guard) => {
    requireMethods("createMcpResource", "guard", guard, ["admit", "watch", "status"]);
    return guard as Guard<unknown>;
  }),
  resource: option((name, value) => {
    if (!isResourceUrl(value)) throw invalidValue(name, "an http(s) URL without query and fragment", value);
    return value;
  }),
  authorizationServers: option((name, value) => {
    if (value === undefined) return null;
    const isList = Array.isArray(value) && value.length > 0 && value.every(isHttpUrl);
    if (!isList) throw invalidOption(name, "a list of http(s) URLs", value);
    return [...value];
  }),
  rules: option((name, value = {}) => {
    if (Object.hasOwn(Object(value) as object, "audience")) {
      throw invalidOption(`${name}.audience`, "left out, because the audience is the resource", value);
    }
    return copyRules("createMcpResource", value as Rules);
  }),
  metadata: option((name, value = {}) => {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject) throw invalidOption(name, "an object", value);
    const own = ownMetadataNames.find((member) => Object.hasOwn(value, member));
    if (own !== undefined) throw invalidOption(`${name}.${own}`, "left out", value);
    return value as Record<string, unknown>;
  }),
  sessionSecret: option((name, value) => {
    if (value === undefined) return null;
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    if (!(bytes instanceof Uint8Array) || bytes.length < MIN_SECRET_BYTES) {
      throw invalidOption(name, `at least ${MIN_SECRET_BYTES} bytes`, value);
    }
    return Uint8Array.from(bytes);
  }),
  connections: option((_, value) => {
    if (value === undefined) return null;
    requireMethods("createMcpResource", "connections", value, ["admit", "open"]);
    return value as Connections<unknown>;
  }),
};

/** The parts of the resource server of one endpoint. */
export interface McpSettings<C> {
  readonly resource: string;
  readonly rules: Rules;
  readonly metadata: McpMetadata;
  readonly metadataUrl: URL;
  readonly binding: SessionBinding;
  readonly connections: Connections<C>;
  /** Whether the connections were made here, so that `close` closes them. */
  readonly ownsConnections: boolean;
}

/** Checks the options. Throws `invalid_option` or `missing_method`, with the name of the option. */
export function mcpSettings<C>(options: McpResourceOptions<C>): McpSettings<C> {
  const read = readOptions("createMcpResource", options, mcpOptionTable);
  const { guard, resource, rules, connections } = read;
  const servers = read.authorizationServers ?? issuerUrls(guard);
  if (servers.length === 0) {
    const mustBe = "a list of http(s) URLs, because no issuer of the guard is one";
    throw invalidOption("createMcpResource: authorizationServers", mustBe, undefined);
  }
  return {
    resource,
    rules: { ...rules, audience: audiencesOf(resource) },
    metadata: {
      resource,
      authorization_servers: servers,
      bearer_methods_supported: ["header"],
      ...(rules.scopes !== undefined && { scopes_supported: rules.scopes }),
      ...read.metadata,
    },
    metadataUrl: metadataUrlOf(resource),
    binding: new SessionBinding(read.sessionSecret ?? systemEntropy.bytes(MIN_SECRET_BYTES)),
    connections: (connections as Connections<C> | null) ?? createConnections({ guard: guard as Guard<C> }),
    ownsConnections: connections === null,
  };
}

function issuerUrls(guard: Guard<unknown>): string[] {
  return guard
    .status()
    .issuers.map(({ issuer }) => issuer)
    .filter(isHttpUrl);
}

/** A client may add the slash of an empty path to the URL, which then is the same. */
function audiencesOf(resource: string): string[] {
  const { origin, pathname } = new URL(resource);
  return pathname === "/" ? [origin, `${origin}/`] : [resource];
}

function isResourceUrl(value: unknown): value is string {
  return isHttpUrl(value) && !/[?#]/.test(value);
}

function isHttpUrl(value: unknown): value is string {
  return typeof value === "string" && /^https?:\/\/[^\s{}"\\]+$/.test(value) && URL.canParse(value);
}
