/* Elysia: `new Elysia().resolve(…)` adds `auth`, or ends the request with the response that it returns. */
import type { Guard } from "holdfast";
import { authenticate, type ValidVerdict } from "holdfast/fetch";

interface ElysiaContext {
  readonly request: Request;
  readonly set: { readonly headers: Record<string, string | number> };
}

export const createResolve =
  (guard: Guard) =>
  async ({ request, set }: ElysiaContext): Promise<Response | { readonly auth: ValidVerdict }> => {
    const { auth, response, headers } = await authenticate(guard, request);
    if (auth === null) return response;
    Object.assign(set.headers, headers);
    return { auth };
  };
