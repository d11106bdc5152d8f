import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connections } from "../connections/index.ts";
import type { Rules } from "../core/rules.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Guard } from "../guard/types.ts";
import type { McpAuthInfo } from "./auth-info.ts";
import type { McpMetadata } from "./metadata.ts";

/** The rules of an MCP server. Its audience is always its `resource` (RFC 8707). */
export type McpRules = Omit<Rules, "audience">;

/** The options of `createMcpResource`. */
export interface McpResourceOptions<C = JwtClaims> {
  /** The guard that decides on each token. Its `audience` must contain `resource`. */
  guard: Guard<C>;
  /** The URL of the MCP endpoint, as its clients use it. Tokens must be for it. It has no query and no fragment. */
  resource: string;
  /** The authorization servers that issue tokens for the resource. Default: the issuers of the guard. */
  authorizationServers?: readonly string[];
  /** The rules for each request, such as `{ scopes: ["mcp:tools"] }`. Default: none. */
  rules?: McpRules;
  /** Further members of the metadata (RFC 9728 §2), such as `{ resource_name: "Orders" }`. Default: none. */
  metadata?: Readonly<Record<string, unknown>>;
  /**
   * At least 32 bytes, the same in all processes that share MCP sessions. It binds each session to its subject. Default:
   * random bytes, so that sessions end with the process.
   */
  sessionSecret?: string | Uint8Array;
  /** The live connections that count and limit the event streams. Default: new connections with the default limits. */
  connections?: Connections<C>;
}

/** Handles a request that passed. It gets the further arguments of the framework after `authInfo`. */
export type McpHandler<C, Rest extends unknown[]> = (
  request: Request,
  authInfo: McpAuthInfo<C>,
  ...rest: Rest
) => Response | Promise<Response>;

/** The resource server of one MCP endpoint. `createMcpResource` makes it. */
export interface McpResource<C = JwtClaims> {
  /** The metadata of the resource (RFC 9728). */
  readonly metadata: McpMetadata;
  /** The URL where clients find the metadata. It is on the host of the resource. */
  readonly metadataUrl: string;
  /**
   * Middleware for Express and other frameworks on `node:http`. It answers at the path of the metadata. Every other request
   * needs a token, and `req.auth` is then the `AuthInfo` of the MCP SDK.
   */
  readonly middleware: (req: IncomingMessage, res: ServerResponse, next: () => void) => Promise<void>;
  /** The same for handlers of web requests. */
  protect<Rest extends unknown[] = []>(
    handler: McpHandler<C, Rest>,
  ): (request: Request, ...rest: Rest) => Promise<Response>;
  /** Ends all event streams, and refuses new requests with 503. The guard stays open. */
  close(): Promise<void>;
}
