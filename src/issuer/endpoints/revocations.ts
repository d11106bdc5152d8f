import { z } from "zod";
import type { IssuerContext } from "../context.ts";
import type { EndpointCall } from "./endpoint.ts";
import { requireClient } from "./client-auth.ts";
import { badRequest } from "./body.ts";
import { jsonResponse } from "./respond.ts";

/** Shorter than a stopping server lets requests finish: nobody who waits is cut off. Seconds. */
const MAX_WAIT_S = 5;

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const positionQuery = z.object({
  after: wholeNumber,
  epoch: z.string(),
  chain: z.string().default(""),
  wait: wholeNumber.default(0),
});

/**
 * The log for guards elsewhere: all that is in force, or what came `after` a place in it, `wait` seconds long at
 * most. An empty tail is a sign of life: it was read from the store right before the answer.
 */
export async function revocationsEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<Response> {
  requireClient(ctx, request);
  const query = Object.fromEntries(new URL(request.url).searchParams);
  if (query["after"] === undefined) return jsonResponse(200, await ctx.store.revocations.snapshot());
  const parsed = positionQuery.safeParse(query);
  if (!parsed.success) {
    throw badRequest(400, "after and wait are whole numbers; epoch and chain say whose.");
  }
  const { after: seq, epoch, chain, wait } = parsed.data;
  const waitMs = Math.min(wait, MAX_WAIT_S) * 1000;
  return jsonResponse(200, await ctx.longPoll.readTail({ epoch, seq, chain }, waitMs, requestInfo.signal));
}
