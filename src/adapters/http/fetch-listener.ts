import { getRequestListener } from "@hono/node-server";
import type { IncomingMessage, ServerResponse } from "node:http";
import { oauthErrorContent } from "../../core/oauth-error.ts";
import { dropLateChunks } from "./late-chunks.ts";
import { isPlainHost } from "./request-host.ts";

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
function formsUrl(req: IncomingMessage & { readonly authority?: string }): boolean {
  const { url = "", httpVersionMajor, headers } = req;
  if (!url.startsWith("/")) return isPlainHost(ABSOLUTE_TARGET.exec(url)?.[1] ?? "") && URL.canParse(url);
  // Over HTTP/2, the library takes the host from the pseudo-header.
  const host = (httpVersionMajor === 1 ? headers.host : req.authority) || "localhost";
  return isPlainHost(host) && URL.canParse(`http://${host}${url}`);
}

/** RFC 9112 §3.2.2. The group is the host with its port. */
const ABSOLUTE_TARGET = /^https?:\/\/([^/?#]*)/;

/** Answers a request that is malformed with 400, and closes its connection. */
export function refuseRequest(res: ServerResponse, description: string): void {
  // HTTP/2 has no such field, and Node would print a warning.
  const more = res.req.httpVersionMajor === 1 ? { Connection: "close" } : {};
  const { headers, body } = oauthErrorContent("invalid_request", description, more);
  const text = JSON.stringify(body);
  res.writeHead(400, { ...headers, "Content-Length": Buffer.byteLength(text) }).end(text);
}
