import { z } from "zod";
import { isHoldfastError } from "../../core/errors.ts";
import type { PlainResponse } from "../../core/plain-http.ts";
import { readPages } from "../../resilience/pages.ts";
import type { IssuerContext } from "../context.ts";
import { readSnapshotPage } from "../revocations/snapshot-page.ts";
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
 * The revocation log for guards in other processes. Without a query it answers every revocation in force. With `page` it
 * answers a page of them: `page` is empty for the first one, and then `next` of the page before. With `after` it answers the entries past that position, waiting at most `wait` seconds for one. An empty tail tells the guard that its view
 * is current, because it was read from the store right before the response.
 */
export async function revocationsEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  requireClient(ctx, { request, requestInfo });
  const query = Object.fromEntries(new URL(request.url).searchParams);
  if (query["page"] !== undefined) return await pageResponse(ctx, query["page"]);
  if (query["after"] === undefined) return await snapshotResponse(ctx);
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

/** Guards of older versions read the whole snapshot. It is sent while the store reads it. */
async function snapshotResponse({ clock, store }: IssuerContext): Promise<PlainResponse> {
  const pages = readPages(async (cursor) => await readSnapshotPage(store.revocations, cursor));
  const first = await pages.next();
  if (first.done === true) throw new TypeError("a snapshot has at least one page");
  const { position, entries, next } = first.value;
  if (next === null) return entriesResponse(clock, { position }, entries);
  async function* parts() {
    yield entries;
    for await (const page of pages) yield page.entries;
  }
  return entriesResponse(clock, { position }, parts());
}

async function pageResponse({ clock, store }: IssuerContext, page: string): Promise<PlainResponse> {
  try {
    const { position, next, entries } = await readSnapshotPage(store.revocations, page === "" ? null : page);
    return entriesResponse(clock, { position, next }, entries);
  } catch (error) {
    if (!isHoldfastError(error, "invalid_option")) throw error;
    throw badRequest(400, "page must be empty, or `next` of a page of this log.");
  }
}
