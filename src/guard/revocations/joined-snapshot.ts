import { readClock, type Clock, type Instant } from "../../core/clock.ts";
import type { RevocationFeed, RevocationSnapshot } from "../../stores/store.ts";

/** A snapshot that a feed is reading. */
export interface SnapshotRead {
  readonly startedAt: Instant;
  readonly snapshot: Promise<RevocationSnapshot>;
}

/** The reads in flight. A store needs up to seconds for a large log, and several guards of a process may follow one log. */
const readsInFlight = new WeakMap<RevocationFeed, SnapshotRead & { readonly clock: Clock }>();

/** Joins the read of this feed's snapshot that is in flight, or begins one. The snapshot may be as old as the read. */
export function joinSnapshot(feed: RevocationFeed, clock: Clock): SnapshotRead {
  const joined = readsInFlight.get(feed);
  if (joined?.clock === clock) return joined;
  const read = { clock, startedAt: readClock(clock), snapshot: (async () => await feed.snapshot())() };
  readsInFlight.set(feed, read);
  const end = () => forgetSnapshot(feed, read);
  read.snapshot.then(end, end);
  return read;
}

/** Lets the next guard begin a new read, because this one has failed or takes too long. */
export function forgetSnapshot(feed: RevocationFeed, read: SnapshotRead): void {
  if (readsInFlight.get(feed) === read) readsInFlight.delete(feed);
}
