import { RevocationListeners, type RevocationListener } from "../revocation-log.ts";
import type { Store } from "../store.ts";
import { CommitCounts } from "./commit-counts.ts";
import { describeFile } from "./open.ts";
import { SqliteThread, type ThreadSettings } from "./thread.ts";

type Part = Record<string, unknown>;

/**
 * Opens the store in a separate thread. The thread tells which methods its store has, so this function knows none of
 * them but `subscribe` and `close`.
 */
export async function openInThread(settings: ThreadSettings): Promise<Store> {
  const listeners = new RevocationListeners();
  const counts = new CommitCounts(describeFile(settings.file));
  const thread = new SqliteThread(settings, {
    onPublished: (entries) => listeners.publish(entries),
    onCommit: (commit) => counts.record(commit),
  });
  let subscribers = 0;
  const { methods } = await thread.open();
  const description = describeFile(settings.file);
  const store: Part = { description, metrics: () => counts.metrics() };
  for (const [part, names] of Object.entries(methods)) {
    const owner: Part = part === "" ? store : {};
    if (part !== "") store[part] = owner;
    for (const name of names) {
      owner[name] = async (...args: unknown[]) => await thread.call(part, name, args);
    }
  }
  Object.assign(store["revocations"] as Part, {
    subscribe(listener: RevocationListener) {
      const unsubscribe = listeners.subscribe(listener);
      if (++subscribers === 1) thread.watch(true);
      let left = false;
      return () => {
        unsubscribe();
        if (!left && --subscribers === 0) thread.watch(false);
        left = true;
      };
    },
  });
  store["close"] = async () => await thread.close();
  return store as unknown as Store;
}
