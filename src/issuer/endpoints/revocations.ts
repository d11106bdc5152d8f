import type { PlainResponse } from "../../core/plain-http.ts";
import { z } from "zod";
import type { IssuerContext } from "../context.ts";
import { badRequest } from "./body.ts";
import { requireClient } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import { entriesResponse } from "./entries-response.ts";
import { jsonResponse } from "./respond.ts";

/** Seconds. Shorter than the time in which a stopping server lets requests finish, so that it cuts off no long poll. */
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
 * The revocation log for guards in other processes. Without `after` it answers every revocation in force; with `after`
 * the entries past that position, waiting at most `wait` seconds for one. An empty tail tells the guard that its view
 * is current, because it was read from the store right before the response.
 */
export async function revocationsEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  requireClient(ctx, { request, requestInfo });
  const query = Object.fromEntries(new URL(request.url).searchParams);
  if (query["after"] === undefined) {
    const { position, entries } = await ctx.store.revocations.snapshot();
    return entriesResponse(ctx.clock, { position }, entries);
  }
  const parsed = positionQuery.safeParse(query);
  if (!parsed.success) {
    throw badRequest(400, "after and wait must be whole numbers, and epoch must be given.");
  }
  const { after: seq, epoch, chain, wait } = parsed.data;
  const waitMs = Math.min(wait, MAX_WAIT_S) * 1000;
  const tail = await ctx.longPoll.readTail({ epoch, seq, chain }, waitMs, requestInfo.signal);
  return tail.status === "ok"
    ? entriesResponse(ctx.clock, { status: "ok" }, tail.entries)
    : jsonResponse(200, tail);
}
