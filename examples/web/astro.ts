/* Astro: `src/middleware.ts` exports `onRequest`. */
import type { Guard } from "holdfast";
import { authenticate, type ValidVerdict } from "holdfast/fetch";

interface ApiContext {
  readonly request: Request;
  readonly locals: { auth?: ValidVerdict };
}

export const createOnRequest =
  (guard: Guard) =>
  async (context: ApiContext, next: () => Promise<Response>): Promise<Response> => {
    const { auth, response, headers } = await authenticate(guard, context.request);
    if (auth === null) return response;
    context.locals.auth = auth;
    const answer = await next();
    for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
    return answer;
  };
