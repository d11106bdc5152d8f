/* SvelteKit: `src/hooks.server.ts` exports `handle`. */
import type { Guard } from "holdfast";
import { authenticate, type ValidVerdict } from "holdfast/fetch";

interface RequestEvent {
  readonly request: Request;
  readonly locals: { auth?: ValidVerdict };
  setHeaders(headers: Record<string, string>): void;
}

interface HandleInput<E> {
  readonly event: E;
  readonly resolve: (event: E) => Response | Promise<Response>;
}

export const createHandle =
  (guard: Guard) =>
  async <E extends RequestEvent>({ event, resolve }: HandleInput<E>): Promise<Response> => {
    const { auth, response, headers } = await authenticate(guard, event.request);
    if (auth === null) return response;
    event.locals.auth = auth;
    event.setHeaders({ ...headers });
    return await resolve(event);
  };
