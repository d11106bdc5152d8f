import type { AuthRecord, AuthStorage } from "./types.ts";

const STORE = "sessions";

/** Keeps the record in this page only. */
export function memoryStorage(): AuthStorage {
  let kept: AuthRecord | null = null;
  return {
    persistence: "memory",
    update: async (change) => await Promise.resolve((kept = change(kept) ?? kept)),
  };
}

/** Keeps the record in IndexedDB, which all pages of an origin read alike. `localStorage` does not promise that. */
export function deviceStorage(key: string): AuthStorage {
  return {
    persistence: "device",
    async update(change) {
      const opening = indexedDB.open("holdfast");
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
      // The database stays open for one transaction, so that another page can delete it at any time.
      const database = await settle(opening);
      try {
        const transaction = database.transaction(STORE, "readwrite", { durability: "strict" });
        const store = transaction.objectStore(STORE);
        const stored = ((await settle(store.get(key))) as AuthRecord | undefined) ?? null;
        const next = change(stored);
        if (next) store.put(next, key);
        await new Promise((resolve, reject) => {
          transaction.oncomplete = resolve;
          transaction.onabort = reject;
        });
        return next ?? stored;
      } finally {
        database.close();
      }
    },
  };
}

async function settle<T>(request: IDBRequest<T>): Promise<T> {
  return await new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = reject;
  });
}
