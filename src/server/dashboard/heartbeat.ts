import { z } from "zod";
import { systemClock, type Clock } from "../../core/clock.ts";
import type { OtherInstance } from "../../dashboard/wire-state.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { Store } from "../../stores/store.ts";

const MARKER = "instances";
const INTERVAL_MS = 30_000;
/** An instance that was not seen for this long has ended. */
const FORGOTTEN_MS = 90_000;
const MAX_INSTANCES = 50;
const DEADLINE_MS = 5_000;
/** Another process may write at the same time. The next heartbeat comes soon. */
const ATTEMPTS = 3;

type Entry = OtherInstance & { readonly id: string };

/** The store is not trusted: a link must not be a script. A process of another version may write further members. */
const entrySchema: z.ZodType<Entry> = z.object({
  id: z.string().max(40),
  host: z.string().max(255),
  version: z.string().max(40),
  admin: z.url({ protocol: /^https?$/ }).max(300),
  seenAt: z.number(),
});

/** Tells the other processes on the same store that this one lives, and knows the others. */
export class Heartbeat {
  readonly #store: Pick<Store, "markers" | "now">;
  readonly #self: Omit<Entry, "seenAt">;
  readonly #clock: Clock;
  #others: readonly OtherInstance[] | null = null;
  #cancel: () => void = () => {};
  #isStopped = false;

  constructor(
    store: Pick<Store, "markers" | "now">,
    self: Omit<Entry, "seenAt">,
    clock: Clock = systemClock,
  ) {
    this.#store = store;
    this.#self = self;
    this.#clock = clock;
  }

  /** `null` while the store does not tell. */
  get others(): readonly OtherInstance[] | null {
    return this.#others;
  }

  start(): void {
    void this.#repeat();
  }

  async #repeat(): Promise<void> {
    await this.beat();
    if (!this.#isStopped) this.#cancel = this.#clock.after(INTERVAL_MS, () => void this.#repeat());
  }

  /** Writes this process into the list of the store, and reads the others. Never rejects. */
  async beat(): Promise<void> {
    try {
      const entries = await withDeadline(
        this.#clock,
        "the store",
        DEADLINE_MS,
        async () => await this.#write(),
      );
      const others = entries.filter((entry) => !this.#isSelfOrPredecessor(entry));
      this.#others = others
        .map(({ host, version, admin, seenAt }) => ({ host, version, admin, seenAt }))
        .toSorted((a, b) => (a.admin < b.admin ? -1 : 1));
    } catch {
      this.#others = null;
    }
  }

  /** Two processes cannot listen at one address of one host, so an entry with ours is that of a process that ended. */
  #isSelfOrPredecessor({ id, host, admin }: Entry): boolean {
    return id === this.#self.id || (host === this.#self.host && admin === this.#self.admin);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #write(): Promise<readonly Entry[]> {
    const { markers } = this.#store;
    let entries: readonly Entry[] = [];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const seenAt = await this.#store.now();
      const text = await markers.read(MARKER);
      const known = text === null ? [] : readEntries(text);
      // A time in the future would keep an entry for ever.
      const isLiving = (at: number) => Math.abs(seenAt - at) < FORGOTTEN_MS;
      const living = known.filter((entry) => !this.#isSelfOrPredecessor(entry) && isLiving(entry.seenAt));
      entries = [{ ...this.#self, seenAt }, ...living].slice(0, MAX_INSTANCES);
      const next = JSON.stringify(entries);
      if (text === null && (await markers.claim(MARKER, next)) === next) return entries;
      if (text !== null && (await markers.replace(MARKER, text, next)) === "replaced") return entries;
    }
    return entries;
  }
}

/** Leaves out what is not an entry, so that one process cannot hide the others. */
function readEntries(text: string): Entry[] {
  try {
    const list = JSON.parse(text) as unknown[];
    return list.slice(0, MAX_INSTANCES).flatMap((one) => entrySchema.safeParse(one).data ?? []);
  } catch {
    return [];
  }
}
