import { viewOfWebRequest } from "../adapters/http/decide-request.ts";
import { decideMcpRequest, SESSION_HEADER, type PassedRequest } from "./decide-mcp-request.ts";
import { endableStream, isEventStream, superviseStream } from "./event-stream.ts";
import { answerMetadata, type TextAnswer } from "./metadata.ts";
import type { McpSettings } from "./settings.ts";
import type { McpHandler } from "./types.ts";

/** Creates the handler of web requests. */
export function createMcpFetch<C, Rest extends unknown[]>(
  settings: McpSettings<C>,
  handler: McpHandler<C, Rest>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const { metadata, metadataUrl } = settings;
  return async (request, ...rest) => {
    if (new URL(request.url).pathname === metadataUrl.pathname) {
      return toResponse(answerMetadata(metadata, request.method));
    }
    const { passed, response } = await decideMcpRequest(settings, viewOfWebRequest(request), request.signal);
    if (passed === null) return toResponse(response);
    const own = passed.sessionId === null ? request : withSession(request, passed.sessionId);
    return prepareResponse(settings, passed, await handler(own, passed.authInfo, ...rest));
  };
}

function toResponse({ status, headers, body }: TextAnswer): Response {
  return new Response(body, { status, headers });
}

/** Lets the server see its own session id. */
function withSession(request: Request, sessionId: string): Request {
  const headers = new Headers(request.headers);
  headers.set(SESSION_HEADER, sessionId);
  return new Request(request, { headers });
}

function prepareResponse<C>(
  { binding, connections, rules }: McpSettings<C>,
  { admission, owner, headers }: PassedRequest<C>,
  response: Response,
): Response {
  const sessionId = response.headers.get(SESSION_HEADER);
  const isStream = response.body !== null && isEventStream(response.headers.get("content-type"));
  if (sessionId === null && !isStream && Object.keys(headers).length === 0) return response;
  const body =
    response.body !== null && isStream
      ? endableStream(response.body, (end) => superviseStream(connections, admission, rules, end))
      : response.body;
  const prepared = new Response(body, response);
  for (const [name, value] of Object.entries(headers)) prepared.headers.set(name, value);
  if (sessionId !== null) prepared.headers.set(SESSION_HEADER, binding.bind(sessionId, owner));
  return prepared;
}
