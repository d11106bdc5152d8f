/** What a page does with its auth library. Each peer implements it as the documentation of its library says. */
export interface Peer {
  /** Whether the page holds tokens. A page with a session cookie does not. */
  readonly hasTokens: boolean;
  /** Whether the library has a `fetch` of its own, which adds the token and repeats after a 401. */
  readonly hasFetch: boolean;
  /** Starts the library, as a page does that was just opened. */
  start(): Promise<void>;
  /** Logs in. May leave the page. */
  login(name: string): Promise<unknown>;
  /** The user whom the page shows. `null` when the page shows its login form. */
  user(): Promise<string | null>;
  /** Asks the API for the user's data. Returns the response. Throws what the page would have to handle. */
  call(url: string): Promise<Response>;
  /** Logs out. May leave the page. */
  logout(): Promise<unknown>;
}

export interface Origins {
  readonly page: string;
  readonly auth: string;
  readonly api: string;
}

declare global {
  var origins: Origins;
  var peer: Peer;
  var started: Promise<string>;
}

/** Hands the peer to the scenarios. `started` resolves with the error that the start ended with, or with an empty text. */
export function run(peer: Peer): void {
  globalThis.peer = peer;
  globalThis.started = peer.start().then(
    () => "",
    (error: unknown) => String(error),
  );
}

/** Sends a request with a bearer token. */
export async function withToken(url: string, token: string | undefined | null): Promise<Response> {
  if (token === undefined || token === null || token === "") throw new Error("no token");
  return await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
}
