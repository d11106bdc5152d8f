import { getRequestListener } from "@hono/node-server";
import type { RequestListener } from "node:http";
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
    errorHandler: () => oauthError(400, "invalid_request", "Host and path must form a well-formed URL."),
  });
  return (req, res) => void listener(req, res);
}

/** The answers by the error code of Node. */
const refusals: Readonly<Record<string, [status: string, description: string]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "The headers are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "The request did not arrive in time."],
};

/** Answers a malformed, oversized or slow request with the same JSON as other errors. */
export function answerClientError(error: Error, socket: Duplex): void {
  const [status, description] = refusals[systemErrorCode(error) ?? ""] ?? [
    "400 Bad Request",
    "This is not a well-formed HTTP request.",
  ];
  const { headers, body } = oauthErrorContent("invalid_request", description, { Connection: "close" });
  const text = JSON.stringify(body);
  const lines = Object.entries({ ...headers, "Content-Length": Buffer.byteLength(text) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n${text}`);
}
