/** The origins that may receive the access token. */
export class Origins {
  readonly #listed: ReadonlySet<string>;

  /** Throws a `TypeError` that names the entry. */
  constructor(baseUrl: URL, origins: readonly string[]) {
    for (const [i, origin] of origins.entries()) {
      if (httpOrigin(origin) !== origin) {
        throw new TypeError(
          `origins[${i}] must be an origin such as https://api.example.com, got "${origin}"`,
        );
      }
    }
    this.#listed = new Set([baseUrl.origin, ...origins]);
  }

  has(url: string): boolean {
    return this.#listed.has(httpOrigin(url) ?? "");
  }
}

/** The origin of an http or WebSocket URL. Other URLs, such as `blob:`, have the origin of the page that made them. */
function httpOrigin(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !/^(?:https?|wss?):$/.test(url.protocol)) return null;
  url.protocol = url.protocol.replace("ws", "http");
  return url.origin;
}

/** Reads a URL of the service, which may be relative to the page. */
export function readUrl(name: string, value: unknown): URL {
  const url = typeof value === "string" ? URL.parse(value, globalThis.location?.href) : null;
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new TypeError(`${name} must be an http or https URL, got ${JSON.stringify(value)}`);
}
