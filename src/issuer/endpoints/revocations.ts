import { z } from "zod";
import type { Context } from "../context.ts";
import type { Call } from "./call.ts";
import { requireClient } from "./authorization.ts";
import { badRequest } from "./body.ts";
import { json } from "./respond.ts";

/** Shorter than a stopping server lets requests finish: nobody who waits is cut off. Seconds. */
const MAX_WAIT_S = 5;

const number = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const place = z.object({
  after: number,
  epoch: z.string(),
  chain: z.string().default(""),
  wait: number.default(0),
});

/**
 * The log for guards elsewhere: all that is in force, or what came `after` a place in it, `wait` seconds long at
 * most. An empty tail is a sign of life: it was read from the store right before the answer.
 */
export async function revocationsEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  requireClient(ctx, request);
  const query = Object.fromEntries(new URL(request.url).searchParams);
  if (query["after"] === undefined) return json(200, await ctx.store.revocations.snapshot());
  const asked = place.safeParse(query);
  if (!asked.success) {
    throw badRequest(400, "after and wait are whole numbers; epoch and chain say whose.");
  }
  const { after: seq, epoch, chain, wait } = asked.data;
  const waitMs = Math.min(wait, MAX_WAIT_S) * 1000;
  return json(200, await ctx.watch.tail({ epoch, seq, chain }, waitMs, origin.signal));
}
