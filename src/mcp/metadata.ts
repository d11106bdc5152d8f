/** The metadata of a protected resource (RFC 9728 §2). */
export interface McpMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported?: readonly string[];
  readonly bearer_methods_supported: readonly string[];
  readonly [name: string]: unknown;
}

/** An answer whose body is text. `null` when it has no body. */
export interface TextAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** The members that `createMcpResource` writes itself. */
export const ownMetadataNames: readonly string[] = [
  "resource",
  "authorization_servers",
  "bearer_methods_supported",
];

/** Returns the URL of the metadata: the well-known path stands between the host and the path (RFC 9728 §3.1). */
export function metadataUrlOf(resource: string): URL {
  const { origin, pathname } = new URL(resource);
  return new URL(`/.well-known/oauth-protected-resource${pathname === "/" ? "" : pathname}`, origin);
}

/** Metadata is public: clients in the pages of any origin read it, with headers such as `MCP-Protocol-Version`. */
const publicHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "*",
  "Access-Control-Allow-Methods": "GET, HEAD",
};

/** Answers a request for the metadata. */
export function answerMetadata(metadata: McpMetadata, method: string): TextAnswer {
  if (method === "OPTIONS") return { status: 204, headers: publicHeaders, body: null };
  if (method !== "GET" && method !== "HEAD") {
    return { status: 405, headers: { ...publicHeaders, Allow: "GET, HEAD" }, body: null };
  }
  const headers = {
    ...publicHeaders,
    "Content-Type": "application/json",
    "Cache-Control": "public, max-age=3600",
  };
  return { status: 200, headers, body: method === "HEAD" ? null : JSON.stringify(metadata) };
}
