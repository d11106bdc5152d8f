import type { IncomingMessage, RequestListener } from "node:http";
import { protect } from "../adapters/node-http.ts";
import type { Guard } from "../guard/types.ts";

/** Whether a request is a proxy's question: `/verify` or below, any method. */
export function isVerify(req: IncomingMessage): boolean {
  return /^\/verify(?:[/?]|$)/.test(req.url ?? "");
}

/**
 * Answers a proxy's "may this request pass?": 200 with the identity, or what the bearer mapping says. It sits on
 * node:http directly, because every request of everything behind the proxy waits for it.
 */
export function gateway(guard: Guard): RequestListener {
  return protect(guard, {}, (req, res) => {
    const { subject, scopes, sessionId = "", degraded, claims } = req.auth;
    // All of them, always: a proxy that copies a missing header may pass on the client's own.
    res.writeHead(200, {
      "X-Auth-Subject": encode(subject),
      "X-Auth-Scopes": scopes.map(encode).join(" "),
      "X-Auth-Session": encode(sessionId),
      "X-Auth-Issuer": encode(claims.iss ?? ""),
      "X-Auth-Degraded": degraded?.cause ?? "",
      "Cache-Control": "no-store",
      "Content-Length": "0",
    });
    res.end();
  });
}

/** Percent-encoded: nothing in a claim can end a header or start another. */
function encode(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}
