/** Throws a `TypeError` about an argument. */
export const refuse = (name: string, wanted: string, got: unknown): never => {
  throw new TypeError(`${name} must be ${wanted}, got ${got as string}`);
};

/** Reads a URL, which may be relative to the page. Throws a `TypeError` with its name. */
export const readUrl = (name: string, value: unknown): URL => {
  const url = URL.parse(value as string, globalThis.location?.href);
  return url && /^(?:http|ws)s?:/.test(url.href) ? url : refuse(name, "a URL of http or ws", value);
};

/** The origin of an http or WebSocket URL. A URL such as `blob:` has the origin of the page that made it. */
const originOf = ({ protocol, host }: URL) => `${protocol.replace("ws", "http")}//${host}`;

/** Returns whether a URL may receive the access token. Throws a `TypeError` that names the entry. */
export const createOrigins = (baseUrl: URL, origins: readonly string[]): ((url: URL) => boolean) => {
  const listed = [baseUrl, ...origins.map((origin) => readUrl("origins", origin))].map(originOf);
  return (url) => listed.includes(originOf(url));
};
