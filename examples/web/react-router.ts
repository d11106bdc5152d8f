/* React Router: a loader or an action throws the response of a refused request. */
import type { Guard } from "holdfast";
import { authenticate } from "holdfast/fetch";

export const createLoader =
  (guard: Guard) =>
  async ({ request }: { readonly request: Request }): Promise<Response> => {
    const { auth, response, headers } = await authenticate(guard, request, { scopes: ["orders:read"] });
    if (auth === null) throw response;
    return Response.json({ of: auth.subject }, { headers });
  };
