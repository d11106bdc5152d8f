import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createOnRequest } from "../../examples/web/astro.ts";
import { createResolve } from "../../examples/web/elysia.ts";
import { createGet, createProxy } from "../../examples/web/next.ts";
import { createMiddleware } from "../../examples/web/nuxt.ts";
import { createLoader } from "../../examples/web/react-router.ts";
import { createHandle } from "../../examples/web/sveltekit.ts";
import { createHandler as createTrpcHandler } from "../../examples/web/trpc.ts";
import { createHandler as createYogaHandler } from "../../examples/web/yoga.ts";
import type { ValidVerdict } from "../../src/adapters/fetch.ts";
import type { Guard } from "../../src/guard/types.ts";
import { setUp } from "./http-contract.ts";

/** What a framework makes of a request: the response, with the text of its body. */
type Recipe = (guard: Guard, request: Request) => Promise<Response>;

const reached = (auth: ValidVerdict | undefined) => new Response(auth?.subject);

const recipes: Record<string, Recipe> = {
  "a route handler of Next.js": async (guard, request) => {
    const response = await createGet(guard)(request, { params: Promise.resolve({ id: "7" }) });
    if (response.status !== 200) return response;
    const { id, of } = (await response.json()) as { id: string; of: string };
    assert.equal(id, "7");
    return new Response(of, response);
  },
  "the proxy of Next.js": async (guard, request) =>
    (await createProxy(guard)(request)) ?? new Response("alice"),
  "the hook of SvelteKit": async (guard, request) => {
    const headers = new Headers();
    const setHeaders = (added: Record<string, string>) =>
      Object.entries(added).forEach(([name, value]) => headers.set(name, value));
    const locals: { auth?: ValidVerdict } = {};
    const resolve = () => new Response(locals.auth?.subject, { headers });
    return await createHandle(guard)({ event: { request, locals, setHeaders }, resolve });
  },
  "the middleware of Astro": async (guard, request) => {
    const locals: { auth?: ValidVerdict } = {};
    return await createOnRequest(guard)({ request, locals }, async () => reached(locals.auth));
  },
  "the middleware of Nuxt": async (guard, req) => {
    const context: { auth?: ValidVerdict } = {};
    return (await createMiddleware(guard)({ req, context })) ?? reached(context.auth);
  },
  "a loader of React Router": async (guard, request) => {
    try {
      const response = await createLoader(guard)({ request });
      return new Response(((await response.json()) as { of: string }).of, response);
    } catch (thrown) {
      assert.ok(thrown instanceof Response);
      return thrown;
    }
  },
  "a resolve of Elysia": async (guard, request) => {
    const set = { headers: {} };
    const resolved = await createResolve(guard)({ request, set });
    return resolved instanceof Response
      ? resolved
      : new Response(resolved.auth.subject, { headers: set.headers });
  },
  "a handler of Yoga": async (guard, request) =>
    await createYogaHandler(guard, { fetch: (_, { auth }) => reached(auth) })(request),
  "the fetch adapter of tRPC": async (guard, request) => {
    const response = await createTrpcHandler(guard)(new Request("http://api/trpc/me", request));
    if (response.status !== 200) return response;
    const { result } = (await response.json()) as { result: { data: string } };
    return new Response(result.data, response);
  },
};

async function ask(t: TestContext, recipe: Recipe, outage = false) {
  const { provider, guard } = await setUp(t, { asks: true });
  if (outage) provider.fault("introspection", { status: 500 });
  const token = provider.token({ sub: "alice", scope: "orders:read" });
  const request = (value: string | null) =>
    new Request(
      "http://api/orders/7",
      value === null ? {} : { headers: { authorization: `Bearer ${value}` } },
    );
  return { token, send: async (value: string | null) => await recipe(guard, request(value)) };
}

for (const [name, recipe] of Object.entries(recipes)) {
  test(`${name} passes a valid token, and answers other requests`, async (t) => {
    const { token, send } = await ask(t, recipe);
    const passed = await send(token);
    assert.deepEqual([passed.status, await passed.text()], [200, "alice"]);
    const none = await send(null);
    assert.deepEqual([none.status, none.headers.get("www-authenticate")], [401, 'Bearer realm="api"']);
    assert.equal((await send("nonsense")).status, 401);
  });
}

for (const [name, recipe] of Object.entries(recipes)) {
  // The proxy and the middleware of Nuxt have no response of the route.
  if (/proxy|Nuxt/.test(name)) continue;
  test(`law 10: ${name} declares a degraded decision`, async (t) => {
    const { token, send } = await ask(t, recipe, true);
    assert.equal((await send(token)).headers.get("x-auth-degraded"), "authority_unavailable");
  });
}
