import { readClock, type Clock, type Instant } from "../../core/clock.ts";
import { readPages } from "../../resilience/pages.ts";
import type { RevocationFeed, SnapshotPage } from "../../stores/store.ts";

/** Readers of one snapshot stay about this close to each other, because each loads its pages in turns. */
const KEPT_PAGES = 4;

/** One page, which is being read or was read a moment ago. */
interface PageRead {
  readonly startedAt: Instant;
  readonly page: Promise<SnapshotPage>;
}

/** The pages of one feed that its readers share. */
interface SharedPages {
  readonly clock: Clock;
  readers: number;
  /** By cursor, the oldest first. The first page has the key `null`. */
  readonly reads: Map<string | null, PageRead>;
}

/** Several guards of a process may follow one log, and a store needs seconds for a large one. */
const sharedPages = new WeakMap<RevocationFeed, SharedPages>();

/** A snapshot that one guard reads. */
export interface SnapshotRead {
  /** When the read of the first page began, which another guard may have done. The snapshot may be as old as this. */
  readonly startedAt: Instant;
  readonly pages: AsyncGenerator<SnapshotPage, void, undefined>;
  /** The reader is done with the pages, or has given up. */
  readonly end: () => void;
  /** Lets the next guard begin a new read, because a page has failed or takes too long. */
  readonly forget: () => void;
}

/** Reads the snapshot of this feed, together with the other guards of the process that are reading it. */
export function joinSnapshot(feed: RevocationFeed, clock: Clock): SnapshotRead {
  const joined = sharedPages.get(feed);
  const shared = joined?.clock === clock ? joined : { clock, readers: 0, reads: new Map() };
  if (shared !== joined) sharedPages.set(feed, shared);
  shared.readers++;
  const first = joinPage(feed, shared, null);
  return {
    startedAt: first.startedAt,
    pages: readPages(async (cursor) => await (cursor === null ? first : joinPage(feed, shared, cursor)).page),
    end() {
      if (--shared.readers === 0) dropPages(feed, shared);
    },
    forget: () => dropPages(feed, shared),
  };
}

function joinPage(feed: RevocationFeed, { clock, reads }: SharedPages, cursor: string | null): PageRead {
  const known = reads.get(cursor);
  if (known !== undefined) return known;
  const read = { startedAt: readClock(clock), page: (async () => await readPage(feed, cursor))() };
  reads.set(cursor, read);
  read.page.catch(() => {
    if (reads.get(cursor) === read) reads.delete(cursor);
  });
  for (const old of reads.keys()) {
    if (reads.size <= KEPT_PAGES) break;
    reads.delete(old);
  }
  return read;
}

/** A feed without pages has one. */
async function readPage(feed: RevocationFeed, cursor: string | null): Promise<SnapshotPage> {
  if (feed.snapshotPage !== undefined) return await feed.snapshotPage(cursor);
  return { ...(await feed.snapshot()), next: null };
}

function dropPages(feed: RevocationFeed, shared: SharedPages): void {
  if (sharedPages.get(feed) === shared) sharedPages.delete(feed);
}
