import type { AuthRecord, AuthStorage } from "./types.ts";

/** Keeps the record in IndexedDB, which all pages of an origin read alike. `localStorage` does not promise that. */
export const deviceStorage = (key: string): AuthStorage => ({
  persistence: "device",
  async update(change) {
    const opening = indexedDB.open("holdfast");
    opening.onupgradeneeded = () => opening.result.createObjectStore("sessions");
    const database = await settle<IDBDatabase>(opening);
    const transaction = database.transaction("sessions", "readwrite", { durability: "strict" });
    // The database closes after this transaction, so that another page can delete it at any time.
    database.close();
    const store = transaction.objectStore("sessions");
    const stored = (await settle<AuthRecord | undefined>(store.get(key))) ?? null;
    const next = change(stored);
    if (next) store.put(next, key);
    await settle(transaction);
    return next ?? stored;
  },
});

/** Settles with the result of a request, or when a transaction has ended. */
const settle = async <T>(work: IDBRequest<T> | (IDBTransaction & { readonly result?: T })): Promise<T> =>
  await new Promise((resolve, onerror) => {
    const done = () => resolve(work.result as T);
    Object.assign(work, { onsuccess: done, oncomplete: done, onerror, onabort: onerror });
  });
