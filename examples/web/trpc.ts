/* tRPC over HTTP: the fetch adapter, on any runtime. */
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import type { Guard } from "holdfast";
import { protect, type ValidVerdict } from "holdfast/fetch";

const t = initTRPC.context<{ auth: ValidVerdict }>().create();
const router = t.router({ me: t.procedure.query(({ ctx }) => ctx.auth.subject) });

export const createHandler = (guard: Guard): ((request: Request) => Promise<Response>) =>
  protect(
    guard,
    { scopes: ["orders:read"] },
    async (req, auth) =>
      await fetchRequestHandler({ endpoint: "/trpc", req, router, createContext: () => ({ auth }) }),
  );
