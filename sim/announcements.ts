import { issuerEvents, storeEvents } from "../src/core/event-channels.ts";
import type { IssuerEvent, StoreEvent } from "../src/core/events.ts";
import type { World } from "../src/testing/simulation/index.ts";

/** What a process announces about writes that its store has lost or may lose. */
export type Announcement =
  | "store_rolled_back"
  | "writes_restored"
  | "durability_lost"
  | "durability_restored";

const announcements: ReadonlySet<string> = new Set<Announcement>([
  "store_rolled_back",
  "writes_restored",
  "durability_lost",
  "durability_restored",
]);

/** Records the announcements of all processes. The returned function ends that. */
export function recordAnnouncements(world: Pick<World, "record">): () => void {
  const record = (message: unknown) => {
    const { event } = message as StoreEvent | IssuerEvent;
    if (announcements.has(event)) world.record("announced", { event });
  };
  for (const channel of [issuerEvents, storeEvents]) channel.subscribe(record);
  return () => {
    for (const channel of [issuerEvents, storeEvents]) channel.unsubscribe(record);
  };
}
