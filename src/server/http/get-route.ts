import type { Env, Handler, Hono } from "hono";
import { oauthError } from "./respond.ts";

/** Answers GET and HEAD at `path` with `handler`, and every other method with 405. */
export function addGetRoute<E extends Env>(app: Hono<E>, path: string, handler: Handler<E>): void {
  app.get(path, handler);
  app.all(path, () =>
    oauthError(405, "invalid_request", "This method is not allowed here.", { Allow: "GET, HEAD" }),
  );
}
