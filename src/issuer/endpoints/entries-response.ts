import type { Clock } from "../../core/clock.ts";
import type { PlainResponse } from "../../core/plain-http.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import { ownTurn } from "../../resilience/turns.ts";
import { jsonResponse } from "./respond.ts";

/** The entries that one turn of the event loop writes: about 250 KB, which take a millisecond or two. */
const ENTRIES_PER_CHUNK = 1_000;

/** A list of any length, or the parts of a list that is read meanwhile. */
type Entries = readonly RevocationEntry[] | AsyncIterable<readonly RevocationEntry[]>;

/**
 * A JSON response whose last member is `entries`. A long list is written in chunks, each in a turn of the event loop.
 * A reader of a large revocation log then holds up no other request. The connection breaks when a part cannot be read.
 */
export function entriesResponse(clock: Clock, members: object, entries: Entries): PlainResponse {
  if ("length" in entries && entries.length <= ENTRIES_PER_CHUNK) {
    return jsonResponse(200, { ...members, entries });
  }
  const encoder = new TextEncoder();
  const texts = writeInTurns(clock, members, entries);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await texts.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await texts.return();
    },
  });
  return { ...jsonResponse(200, null), body };
}

async function* writeInTurns(
  clock: Clock,
  members: object,
  entries: Entries,
): AsyncGenerator<string, void, undefined> {
  yield `${JSON.stringify(members).slice(0, -1)},"entries":[`;
  let separator = "";
  const parts = "length" in entries ? [entries] : entries;
  for await (const part of parts) {
    for (let from = 0; from < part.length; from += ENTRIES_PER_CHUNK) {
      await ownTurn(clock);
      const chunk = part.slice(from, from + ENTRIES_PER_CHUNK);
      yield separator + JSON.stringify(chunk).slice(1, -1);
      separator = ",";
    }
  }
  yield "]}";
}
