import type { Clock } from "../../core/clock.ts";
import type { PlainResponse } from "../../core/plain-http.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import { ownTurn } from "../../resilience/turns.ts";
import { jsonResponse } from "./respond.ts";

/** The entries that one turn of the event loop writes: about 250 KB, which take a millisecond or two. */
const ENTRIES_PER_CHUNK = 1_000;

/**
 * A JSON response whose last member is `entries`. A long list is written in chunks, each in a turn of the event loop.
 * A reader of a large revocation log then holds up no other request.
 */
export function entriesResponse(
  clock: Clock,
  members: object,
  entries: readonly RevocationEntry[],
): PlainResponse {
  if (entries.length <= ENTRIES_PER_CHUNK) return jsonResponse(200, { ...members, entries });
  const encoder = new TextEncoder();
  let written = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await ownTurn(clock);
      const chunk = entries.slice(written, written + ENTRIES_PER_CHUNK);
      const start = written === 0 ? `${JSON.stringify(members).slice(0, -1)},"entries":[` : ",";
      written += chunk.length;
      const isLast = written === entries.length;
      controller.enqueue(encoder.encode(start + JSON.stringify(chunk).slice(1, -1) + (isLast ? "]}" : "")));
      if (isLast) controller.close();
    },
  });
  return { ...jsonResponse(200, null), body };
}
