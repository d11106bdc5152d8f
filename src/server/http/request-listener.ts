import { getRequestListener } from "@hono/node-server";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { oauthError } from "../../issuer/endpoints/respond.ts";
import { oauthErrorContent } from "../../core/oauth-error.ts";
import { systemErrorCode } from "../../core/errors.ts";

/** Turns a fetch handler into a listener of `node:http`. A request whose Host and path form no URL gets 400. */
export function toRequestListener(fetch: Parameters<typeof getRequestListener>[0]): RequestListener {
  const listener = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    // Requests over HTTP/1.0 may lack Host, and some probes send them.
    hostname: "localhost",
    // `limitUnreadBody` ends a request whose body is not read. This library would read up to 64 MiB of it.
    autoCleanupIncoming: false,
    errorHandler: () => oauthError(400, "invalid_request", NO_URL),
  });
  return (req, res) => {
    if (formsUrl(req)) void listener(req, res);
    else refuseRequest(res, NO_URL);
  };
}

const NO_URL = "Host and path must form a well-formed URL.";

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

/** RFC 9112 §3.2: a request with two Host lines is malformed. Node keeps the first line, and a proxy may use the other. */
export function hasOneHost({ rawHeaders }: IncomingMessage): boolean {
  let lines = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") lines++;
  }
  return lines <= 1;
}

/** The answers by the error code of Node. */
const refusals: Readonly<Record<string, [status: string, description: string]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "The headers are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "The request did not arrive in time."],
};

/** Answers a malformed, oversized or slow request with the same JSON as other errors. `more` are further headers. */
export function answerClientError(
  error: Error,
  socket: Duplex,
  more: Readonly<Record<string, string>> = {},
): void {
  const [status, description] = refusals[systemErrorCode(error) ?? ""] ?? [
    "400 Bad Request",
    "This is not a well-formed HTTP request.",
  ];
  const { headers, body } = oauthErrorContent("invalid_request", description, {
    Connection: "close",
    ...more,
  });
  const text = JSON.stringify(body);
  const lines = Object.entries({ ...headers, "Content-Length": Buffer.byteLength(text) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n${text}`);
}
