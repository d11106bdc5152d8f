/** The origins that may receive the access token. */
export class Origins {
  readonly #listed: ReadonlySet<string>;

  /** Throws a `TypeError` that names the entry. */
  constructor(baseUrl: URL, origins: readonly string[]) {
    this.#listed = new Set([baseUrl, ...origins.map((origin) => readUrl("origins", origin))].map(originOf));
  }

  has(url: URL): boolean {
    return this.#listed.has(originOf(url));
  }
}

/** The origin of an http or WebSocket URL. A URL such as `blob:` has the origin of the page that made it. */
function originOf({ protocol, host }: URL): string {
  return `${protocol.replace("ws", "http")}//${host}`;
}

/** Reads a URL, which may be relative to the page. Throws a `TypeError` with its name. */
export function readUrl(name: string, value: unknown): URL {
  const url = URL.parse(String(value), globalThis.location?.href);
  if (url !== null && /^(?:http|ws)s?:$/.test(url.protocol)) return url;
  throw new TypeError(`${name} must be a URL with http, https, ws or wss, got ${JSON.stringify(value)}`);
}
