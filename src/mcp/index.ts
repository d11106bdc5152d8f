export { createMcpResource } from "./create-mcp-resource.ts";
export type { McpAuthInfo } from "./auth-info.ts";
export type { McpMetadata } from "./metadata.ts";
export type { McpHandler, McpResource, McpResourceOptions, McpRules } from "./types.ts";
