/* Next.js: `app/orders/[id]/route.ts` exports `GET`, and `proxy.ts` exports `proxy`. */
import type { Guard } from "holdfast";
import { authenticate, protect } from "holdfast/fetch";

interface RouteContext {
  readonly params: Promise<{ readonly id: string }>;
}

/** A route handler. Next passes the context as the second argument. */
export const createGet = (guard: Guard): ((request: Request, context: RouteContext) => Promise<Response>) =>
  protect(guard, { scopes: ["orders:read"] }, async (_request, auth, { params }: RouteContext) =>
    Response.json({ id: (await params).id, of: auth.subject }),
  );

/** The proxy in front of all routes. Without a response, Next goes on to the route. */
export const createProxy =
  (guard: Guard): ((request: Request) => Promise<Response | undefined>) =>
  async (request) =>
    (await authenticate(guard, request)).response ?? undefined;
