/** Throws a `TypeError` about an argument. */
export const refuse = (name: string, wanted: string, got: unknown): never => {
  throw new TypeError(`${name} must be ${wanted}, got ${got as string}`);
};

/** Refuses the options that are left over, so that a misspelt one is not passed over. */
export const refuseUnknown = (name: string, unknown: object): void => {
  for (const option in unknown) refuse(name, "known", option);
};

/** Reads a URL, which may be relative to the page. Throws a `TypeError` with its name. */
export const readUrl = (name: string, value: unknown): URL => {
  const url = URL.parse(value as string, globalThis.location?.href);
  return url && /^(http|ws)s?:/.test(url.href) ? url : refuse(name, "a URL of http or ws", value);
};

/** Names the origin of an http or WebSocket URL. The `origin` of a URL such as `blob:` is that of the page that made it. */
export const originOf = ({ protocol, host }: URL): string => protocol.replace("ws", "http") + host;
