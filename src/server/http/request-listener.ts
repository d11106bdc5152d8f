import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { oauthErrorContent } from "../../core/oauth-error.ts";
import { systemErrorCode } from "../../core/errors.ts";

export { refuseRequest, toRequestListener } from "../../adapters/http/fetch-listener.ts";

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
