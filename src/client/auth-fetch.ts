import type { Send } from "./service.ts";
import type { Session } from "./session.ts";
import { PAUSE_MS } from "./timing.ts";
import type { AuthClient } from "./types.ts";

/** Creates the `fetch` that sends the access token to the listed origins. */
export const createFetch = (
  session: Session,
  plainFetch: typeof fetch,
  send: Send,
  isListed: (url: URL) => boolean,
): AuthClient["fetch"] => {
  const { clock } = session;
  /** The monotonic time before which a rejection does not cause a refresh. */
  let pausedUntil = -Infinity;

  return async (input, init) => {
    const copy = () => new Request(input instanceof Request ? input.clone() : input, init);
    const request = copy();
    if (!isListed(new URL(request.url)) || request.headers.has("Authorization"))
      return await plainFetch(input, init);
    const record = await session.obtain();
    const response = await send(request, record.access);
    if (response.status !== 401 || init?.body instanceof ReadableStream) return response;
    if (clock.monotonic() < pausedUntil && (await session.update()).n === record.n) return response;
    const next = await session.refresh(record).catch(() => undefined);
    if (!next) return response;
    const second = await send(copy(), next.access);
    if (second.status === 401) pausedUntil = clock.monotonic() + PAUSE_MS;
    return second;
  };
};
