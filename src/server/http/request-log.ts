import type { IncomingMessage } from "node:http";
import type { BlockList } from "node:net";
import type { Logger } from "pino";
import { clientAddress } from "../../adapters/http/client-address.ts";
import { knownFields } from "../log-fields.ts";
import type { RequestLogMode } from "../setting-definitions.ts";
import type { MeasuredRequest } from "./request-measure.ts";

/** W3C Trace Context: version, trace, parent, flags. A later version may append more. */
const TRACE_PARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/;

/**
 * Returns a function that logs one line for each request. A line has the template of the route. It has no path and no
 * query, because a client may write a secret into them. `null` when no request is logged.
 */
export function createRequestLog(
  log: Logger,
  mode: RequestLogMode,
  trustedProxies: BlockList,
): ((measured: MeasuredRequest) => void) | null {
  if (mode === "off") return null;
  return ({ listener, request, peer, route, status, durationMs }) => {
    const isFailed = status === null || status >= 500;
    if (mode === "failed" && !isFailed) return;
    const { method = "" } = request;
    const fields = knownFields({
      "event.name": "holdfast.http.request",
      trace_id: readTraceId(request),
      "holdfast.listener": listener,
      "http.request.method": method,
      "http.route": route,
      "http.response.status_code": status,
      "http.server.request.duration": Number((durationMs / 1_000).toFixed(6)),
      "client.address": readAddress(peer, request, trustedProxies),
    });
    const body = `${method} ${route ?? "unknown route"} ${status ?? "no answer"}`;
    log[isFailed ? "warn" : "info"](fields, body);
  };
}

/** `null` without a valid `traceparent`, or with several. */
function readTraceId({ headers }: IncomingMessage): string | null {
  const { traceparent } = headers;
  return typeof traceparent === "string" ? (TRACE_PARENT.exec(traceparent)?.[1] ?? null) : null;
}

/** `null` when the client was gone at the start, or when a trusted proxy does not tell its address. */
function readAddress(
  peer: string | undefined,
  { headers }: IncomingMessage,
  trustedProxies: BlockList,
): string | null {
  const { "x-forwarded-for": forwardedFor, forwarded } = headers;
  const fields = { forwardedFor: [forwardedFor ?? []].flat().join(",") || undefined, forwarded };
  return clientAddress(peer, fields, trustedProxies) ?? null;
}
