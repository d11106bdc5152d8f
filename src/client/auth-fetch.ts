import { obtain, refresh } from "./refresh.ts";
import { send } from "./service.ts";
import type { Session } from "./session.ts";
import type { AuthClient } from "./types.ts";

/** Creates the `fetch` that sends the access token to the listed origins. */
export const createFetch = (session: Session): AuthClient["fetch"] => {
  const { fetch } = session;
  /** The number of the record whose new token was rejected, so that another refresh would not help. */
  let rejected = 0;

  return async (input, init) => {
    const copy = () => new Request(input instanceof Request ? input.clone() : input, init);
    const request = copy();
    if (!session.isListed(new URL(request.url)) || request.headers.has("Authorization"))
      return await fetch(input, init);
    const record = await obtain(session);
    const response = await send(session, request, record.access);
    const isFinal = response.status !== 401 || record.n === rejected || init?.body instanceof ReadableStream;
    const next = !isFinal && (await refresh(session, record).catch(() => undefined));
    if (!next) return response;
    const second = await send(session, copy(), next.access);
    if (second.status === 401) rejected = next.n;
    return second;
  };
};
