import type { HttpBindings } from "@hono/node-server";
import type { Context, Handler, Hono } from "hono";
import type { Clock } from "../../../core/clock.ts";
import { isHoldfastError } from "../../../core/errors.ts";
import { jsonResponse, oauthError, temporarilyUnavailable } from "../../http/respond.ts";
import { withDeadline } from "../../../resilience/deadline.ts";

/** An operator waits this long for the store. */
const DEADLINE_MS = 3_000;
const RETRY_AFTER_MS = 1_000;

/**
 * Answers with the JSON value of `work`, or with its `Response`. A refused value is 400 with the reason, and a store
 * that does not answer is 503.
 */
export function answer(clock: Clock, work: (c: Context) => Promise<unknown>): Handler {
  return async (c) => {
    try {
      const value = await withDeadline(clock, "the store", DEADLINE_MS, async () => await work(c));
      return value instanceof Response ? value : jsonResponse(200, value);
    } catch (error) {
      if (isHoldfastError(error, "invalid_option")) return oauthError(400, "invalid_request", error.message);
      if (isHoldfastError(error)) return temporarilyUnavailable(RETRY_AFTER_MS);
      throw error;
    }
  };
}

/** Answers POST at `path` with `handler`, and every other method with 405. */
export function addPostRoute(app: Hono, path: string, handler: Handler): void {
  app.post(path, handler);
  app.all(path, () =>
    oauthError(405, "invalid_request", "This method is not allowed here.", { Allow: "POST" }),
  );
}

/** The address of the client. `undefined` outside of a listener. */
export function addressOf(c: Context): string | undefined {
  return (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress;
}
