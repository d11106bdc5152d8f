/* GraphQL Yoga: its `fetch` takes a server context, which resolvers get as their context. */
import type { Guard } from "holdfast";
import { protect, type ValidVerdict } from "holdfast/fetch";

interface Yoga {
  fetch(request: Request, context: { readonly auth: ValidVerdict }): Response | Promise<Response>;
}

export const createHandler = (guard: Guard, yoga: Yoga): ((request: Request) => Promise<Response>) =>
  protect(guard, { scopes: ["orders:read"] }, async (request, auth) => await yoga.fetch(request, { auth }));
