import type { Origins } from "./origins.ts";
import type { Session } from "./session.ts";
import type { AuthClient, AuthRecord } from "./types.ts";

/** After a new token was rejected too, no other token is fetched because of a rejection for this time. */
const REJECTED_PAUSE_MS = 30_000;

/** Creates the `fetch` that sends the access token to the listed origins. */
export function authFetch(session: Session & { readonly origins: Origins }): AuthClient["fetch"] {
  const { hasCookies, clock, options } = session;
  /** The monotonic time before which a rejection does not cause a refresh. */
  let pausedUntil = -Infinity;

  return async (input, init) => {
    const { fetch = globalThis.fetch } = options;
    const copy = () => new Request(input instanceof Request ? input.clone() : input, init);
    const send = async ({ access }: AuthRecord) => {
      const request = copy();
      if (!hasCookies) request.headers.set("Authorization", `Bearer ${access}`);
      // The service takes cookies of an unsafe request only with this header, which no foreign page can send.
      else if (!/^(?:GET|HEAD)$/.test(request.method)) request.headers.set("X-Holdfast", "1");
      return await fetch(request, hasCookies ? { credentials: "include" } : {});
    };
    const { url, headers } = copy();
    if (!session.origins.has(new URL(url)) || headers.has("Authorization")) return await fetch(input, init);
    const record = await session.obtain();
    const response = await send(record);
    if (response.status !== 401 || init?.body instanceof ReadableStream) return response;
    const stored = await session.update();
    if (clock.monotonic() < pausedUntil && stored.n === record.n) return response;
    const next = await session.refresh(record).catch(() => null);
    if (next === null) return response;
    const second = await send(next);
    if (second.status === 401) pausedUntil = clock.monotonic() + REJECTED_PAUSE_MS;
    return second;
  };
}
