import { getRequestListener } from "@hono/node-server";
import type { RequestListener } from "node:http";
import type { Duplex } from "node:stream";
import { oauthError } from "../../issuer/endpoints/respond.ts";
import { systemErrorCode } from "../../core/errno.ts";

/** A fetch handler as a listener of `node:http`. What cannot be made a request (a Host of nonsense) is a 400. */
export function toRequestListener(fetch: Parameters<typeof getRequestListener>[0]): RequestListener {
  const listener = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    // HTTP/1.0 knows no Host, and probes still speak it.
    hostname: "localhost",
    errorHandler: () => oauthError(400, "invalid_request", "Host and path must make a well-formed URL."),
  });
  return (req, res) => void listener(req, res);
}

const refusals: Readonly<Record<string, [status: string, description: string]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "The headers are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "The request did not arrive in time."],
};

/** Answers what never became a request, because it is no HTTP, too large or too slow, in the form of all errors. */
export function answerClientError(error: Error, socket: Duplex): void {
  const [status, error_description] = refusals[systemErrorCode(error) ?? ""] ?? [
    "400 Bad Request",
    "This is not a well-formed HTTP request.",
  ];
  const body = JSON.stringify({ error: "invalid_request", error_description });
  const headers = "Content-Type: application/json\r\nCache-Control: no-store\r\nConnection: close";
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}
