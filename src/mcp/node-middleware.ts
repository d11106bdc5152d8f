import type { IncomingMessage, ServerResponse } from "node:http";
import { withClientSignal } from "../adapters/http/client-signal.ts";
import { viewOfNodeRequest } from "../adapters/http/decide-node-request.ts";
import { decideMcpRequest, SESSION_HEADER, type PassedRequest } from "./decide-mcp-request.ts";
import { isEventStream, superviseStream } from "./event-stream.ts";
import { answerMetadata, type TextAnswer } from "./metadata.ts";
import { beforeHead } from "./response-head.ts";
import type { McpSettings } from "./settings.ts";
import type { McpResource } from "./types.ts";

/** A request of Express or of Connect. A mounted application has removed a part of its `url`. */
type NodeRequest = IncomingMessage & { readonly originalUrl?: string };

/** Creates the middleware for frameworks on `node:http`. */
export function createMcpMiddleware<C>(settings: McpSettings<C>): McpResource<C>["middleware"] {
  const { metadata, metadataUrl } = settings;
  return async (req: NodeRequest, res, next) => {
    const [path] = (req.originalUrl ?? req.url ?? "").split("?", 1);
    if (path === metadataUrl.pathname) return send(res, answerMetadata(metadata, req.method ?? ""));
    const { passed, response } = await withClientSignal(
      res,
      ["close"],
      res.closed,
      async (signal) => await decideMcpRequest(settings, viewOfNodeRequest(req), signal),
    );
    if (passed === null) return send(res, response);
    Object.assign(req, { auth: passed.authInfo });
    if (passed.sessionId !== null) replaceSession(req, passed.sessionId);
    for (const [name, value] of Object.entries(passed.headers)) res.setHeader(name, value);
    beforeHead(res, () => prepareHead(settings, passed, res));
    next();
  };
}

function send(res: ServerResponse, { status, headers, body }: TextAnswer): void {
  res.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body ?? "") });
  res.end(body ?? undefined);
}

/** Lets the server see its own session id. Some frameworks read `headers`, and others `rawHeaders`. */
function replaceSession({ headers, rawHeaders }: IncomingMessage, sessionId: string): void {
  headers[SESSION_HEADER] = sessionId;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === SESSION_HEADER) rawHeaders[i + 1] = sessionId;
  }
}

function prepareHead<C>(
  { binding, connections, rules }: McpSettings<C>,
  { admission, owner }: PassedRequest<C>,
  res: ServerResponse,
): void {
  const sessionId = res.getHeader(SESSION_HEADER);
  if (sessionId !== undefined) res.setHeader(SESSION_HEADER, binding.bind(String(sessionId), owner));
  if (!isEventStream(res.getHeader("content-type"))) return;
  // The server may write to the stream once more before it sees that the stream ended.
  res.on("error", () => {});
  res.once(
    "close",
    superviseStream(connections, admission, rules, () => res.destroy()),
  );
}
