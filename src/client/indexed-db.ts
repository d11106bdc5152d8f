import type { AuthRecord, AuthStorage } from "./types.ts";

const STORE = "sessions";

/** Keeps the record in IndexedDB, which all pages of an origin read alike. `localStorage` does not promise that. */
export function indexedDbStorage(key: string): AuthStorage {
  let opened: Promise<IDBDatabase> | null = null;
  const forget = () => (opened = null);

  async function transact(
    mode: IDBTransactionMode,
    change: (record: AuthRecord | null) => AuthRecord | undefined,
  ): Promise<AuthRecord | null> {
    opened ??= open(forget);
    const transaction = (await opened.catch(fail)).transaction(STORE, mode, { durability: "strict" });
    return await new Promise((resolve, reject) => {
      const store = transaction.objectStore(STORE);
      let result: AuthRecord | null = null;
      const reading = store.get(key) as IDBRequest<AuthRecord | undefined>;
      reading.onsuccess = () => {
        try {
          const next = change((result = reading.result ?? null));
          if (next !== undefined) store.put((result = next), key);
        } catch (error) {
          reject(error);
          transaction.abort();
        }
      };
      transaction.oncomplete = () => resolve(result);
      transaction.onabort = () => reject(transaction.error ?? new Error("The transaction was aborted."));
    });
  }

  function fail(error: unknown): never {
    forget();
    throw error;
  }

  return {
    persistence: "device",
    read: async () => await transact("readonly", () => undefined),
    update: async (change) => await transact("readwrite", change),
    close: () => void opened?.then((database) => database.close(), forget),
  };
}

async function open(onClose: () => void): Promise<IDBDatabase> {
  return await new Promise((resolve, reject) => {
    const opening = indexedDB.open("holdfast", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error ?? new Error("IndexedDB cannot be opened."));
    opening.onsuccess = () => {
      const database = opening.result;
      database.onclose = onClose;
      // Another page deletes the database, and must not wait for this one.
      database.onversionchange = () => {
        database.close();
        onClose();
      };
      resolve(database);
    };
  });
}
