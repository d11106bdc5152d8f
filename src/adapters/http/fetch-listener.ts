import { getRequestListener } from "@hono/node-server";
import type { IncomingMessage, ServerResponse } from "node:http";
import { oauthErrorContent } from "../../core/oauth-error.ts";
import { dropLateChunks } from "./late-chunks.ts";

const NO_URL = "Host and path must form a well-formed URL.";

/** Turns a fetch handler into a listener of `node:http`. A request whose Host and path form no URL gets 400. */
export function toRequestListener(
  fetch: Parameters<typeof getRequestListener>[0],
): (req: IncomingMessage, res: ServerResponse) => void {
  const listener = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    // Requests over HTTP/1.0 may lack Host, and some probes send them.
    hostname: "localhost",
    // `limitUnreadBody` ends a request whose body is not read. This library would read up to 64 MiB of it.
    autoCleanupIncoming: false,
    errorHandler: () => {
      const { headers, body } = oauthErrorContent("invalid_request", NO_URL);
      return Response.json(body, { status: 400, headers });
    },
  });
  return (req, res) => {
    dropLateChunks(req);
    if (formsUrl(req)) void listener(req, res);
    else refuseRequest(res, NO_URL);
  };
}

/** The library above parses the URL only when a handler reads it, so that the error would look like one of the handler. */
function formsUrl({ url = "", headers: { host = "localhost" } }: IncomingMessage): boolean {
  return URL.canParse(url.startsWith("/") ? `http://${host}${url}` : url);
}

/** Answers a request that is malformed with 400, and closes its connection. */
export function refuseRequest(res: ServerResponse, description: string): void {
  const { headers, body } = oauthErrorContent("invalid_request", description, { Connection: "close" });
  const text = JSON.stringify(body);
  res.writeHead(400, { ...headers, "Content-Length": Buffer.byteLength(text) }).end(text);
}
