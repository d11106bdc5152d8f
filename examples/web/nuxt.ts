/* Nuxt and h3: `server/middleware/auth.ts` exports `defineEventHandler(createMiddleware(guard))`. */
import type { Guard } from "holdfast";
import { authenticate, type ValidVerdict } from "holdfast/fetch";

interface H3Event {
  /** h3 2 has the request as `req`. With h3 1, pass `toWebRequest(event)`. */
  readonly req: Request;
  readonly context: { auth?: ValidVerdict };
}

/** A middleware that returns a response ends the request. */
export const createMiddleware =
  (guard: Guard) =>
  async (event: H3Event): Promise<Response | undefined> => {
    const { auth, response } = await authenticate(guard, event.req);
    if (auth === null) return response;
    event.context.auth = auth;
    return undefined;
  };
