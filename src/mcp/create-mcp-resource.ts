import type { JwtClaims } from "../core/verdict.ts";
import { createMcpMiddleware } from "./node-middleware.ts";
import { mcpSettings } from "./settings.ts";
import type { McpResource, McpResourceOptions } from "./types.ts";
import { createMcpFetch } from "./web-handler.ts";

/**
 * Creates the resource server of one MCP endpoint, as the authorization of MCP describes it. Tokens must be for this
 * resource, a session belongs to its subject, and an event stream ends with its token. Throws `invalid_option` or
 * `missing_method`, with the name of the option.
 *
 * @example
 * ```ts
 * import express from "express";
 * import { createGuard } from "holdfast";
 * import { createMcpResource } from "holdfast/mcp";
 *
 * const resource = "https://mcp.example.com/mcp";
 * const guard = createGuard({ issuer: "https://id.example.com", audience: resource });
 * const mcp = createMcpResource({ guard, resource, rules: { scopes: ["orders:read"] } });
 *
 * const app = express();
 * app.use(mcp.middleware); // The routes of the MCP transport follow.
 * ```
 */
export function createMcpResource<C = JwtClaims>(options: McpResourceOptions<C>): McpResource<C> {
  const settings = mcpSettings(options);
  return {
    metadata: settings.metadata,
    metadataUrl: settings.metadataUrl.href,
    middleware: createMcpMiddleware(settings),
    protect: (handler) => createMcpFetch(settings, handler),
    close: async () => {
      if (settings.ownsConnections) await settings.connections.close();
    },
  };
}
