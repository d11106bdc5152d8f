import { isExactOrigin } from "../core/origin.ts";
import { readAllowHttp } from "../guard/allow-http.ts";
import { isTrustworthy } from "../guard/fetch-json.ts";

/* Parsers of setting texts that are URLs, origins or hosts. Each returns `undefined` for a text that it refuses. */

export function parseHost(text: string): string | undefined {
  return /^[\w.:-]+$/.test(text) ? text : undefined;
}

/** Parses an http(s) URL without query, fragment or credentials. The result has no slash at its end. */
export function parseHttpUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || /[?#]/.test(text) || url.username !== "") {
    return undefined;
  }
  return url.href.replace(/\/+$/, "");
}

/** Parses an http(s) URL without credentials. Another setting decides to which hosts plain HTTP is allowed. */
export function parseProviderUrl(text: string): string | undefined {
  const url = URL.parse(text);
  return url !== null && isTrustworthy(url, () => true) ? url.href : undefined;
}

/** Parses the list of an `allowHttp` option. */
export function parseAllowHttp(text: string): readonly string[] | undefined {
  const hosts = text.split(",").map((host) => host.trim());
  try {
    readAllowHttp("HOLDFAST_ALLOW_HTTP", hosts);
    return hosts;
  } catch {
    return undefined;
  }
}

export function parseOrigin(text: string): string | undefined {
  return isExactOrigin(text) ? text : undefined;
}

/** Says which origin of a refused list is wrong, and what is wrong with it. */
export function explainOrigins(text: string): string | undefined {
  const origins = text.split(",").map((part) => part.trim());
  const index = origins.findIndex((origin) => !isExactOrigin(origin));
  const origin = origins[index];
  if (origin === undefined) return undefined;
  const place = origins.length === 1 ? "the origin" : `origin ${index + 1} of ${origins.length}`;
  if (isExactOrigin(origin.replace(/\/$/, ""))) return `${place} ends with a slash, which must go`;
  if (origin.includes("*")) return `${place} has a wildcard; list each origin`;
  return `${place} is not exact`;
}
