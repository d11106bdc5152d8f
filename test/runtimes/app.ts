import { createGuard, introspection, jwks } from "holdfast";
import { protect } from "holdfast/fetch";

/** The providers of the suite by name. The bundler replaces it, so that the guards are made at module scope. */
declare const PROVIDERS: Readonly<Record<string, RuntimeProvider>>;

export interface RuntimeProvider {
  readonly issuer: string;
  readonly jwks: string;
  /** `null` for a guard without an authority. */
  readonly introspection: string | null;
}

const handlers = new Map(
  Object.entries(PROVIDERS).map(([name, { issuer, jwks: url, introspection: authorityUrl }]) => {
    const keys = jwks(url);
    const authority =
      authorityUrl === null
        ? undefined
        : introspection({ url: authorityUrl, clientId: "guard", clientSecret: "secret-of-the-guard" });
    const guard = createGuard({
      name,
      issuer,
      audience: "https://api.example.com",
      keys,
      ...(authority && { authority }),
    });
    const handler = protect(guard, { scopes: ["read"] }, (_request, auth) => new Response(auth.subject));
    return [`/${name}`, handler] as [path: string, typeof handler];
  }),
);

/** Passes a request to the guard that its path names. */
export async function handle(request: Request): Promise<Response> {
  const handler = handlers.get(new URL(request.url).pathname);
  return handler === undefined ? new Response(null, { status: 404 }) : await handler(request);
}

/** The form of a worker. Other runtimes ignore it. */
export default { fetch: async (request: Request): Promise<Response> => await handle(request) };
