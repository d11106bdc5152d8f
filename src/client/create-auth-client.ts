import { Account } from "./account.ts";
import { AuthFetch } from "./auth-fetch.ts";
import { deviceClock } from "./clock.ts";
import { indexedDbStorage } from "./indexed-db.ts";
import { withLock } from "./lock.ts";
import { Origins, readUrl } from "./origins.ts";
import { isLive } from "./record.ts";
import { Service } from "./service.ts";
import { Session } from "./session.ts";
import { endOtherSession, listSessions } from "./session-list.ts";
import { DurableStorage, memoryStorage } from "./storage.ts";
import type { AuthClient, AuthClientOptions, AuthStorage } from "./types.ts";
import { openChannel, Waker } from "./wake.ts";

/**
 * Creates the client that keeps a user logged in, in every tab of the browser. It reads the stored session at once. Throws
 * a `TypeError` that names the option.
 *
 * @example
 * ```ts
 * import { createAuthClient } from "holdfast/client";
 *
 * const auth = createAuthClient({ baseUrl: "https://id.example.com", origins: ["https://api.example.com"] });
 * await auth.login({ username: "ann", password: "correct horse battery" });
 * const orders = await auth.fetch("https://api.example.com/orders");
 * console.log(orders.status, auth.state.status);
 * ```
 */
export function createAuthClient(options: AuthClientOptions): AuthClient {
  const { key = "auth", mode = "token", bufferMs = 300_000, lockWaitMs = 4_000 } = options;
  const baseUrl = readUrl("baseUrl", options.baseUrl);
  const origins = new Origins(baseUrl, options.origins ?? []);
  const clock = options.clock ?? deviceClock;
  const name = `holdfast:${key}`;
  const inner = createStorage(options.storage ?? "device", key);
  const storage = new DurableStorage(inner, clock);
  const channel = inner.persistence === "device" ? openChannel(name) : null;
  const service = new Service(baseUrl.href, options, clock);
  const session = new Session({
    clock,
    random: () => (options.random ?? Math.random)(),
    service,
    storage,
    hasCookies: mode === "cookie",
    bufferMs,
    locked: async (suffix, work) => await withLock(name + suffix, lockWaitMs, clock, work),
    announce: () => channel?.postMessage(storage.unstored),
  });
  const account = new Account(session);
  const waker = new Waker(session, account);
  const authFetch = new AuthFetch(session, origins, options);
  session.ready = session.reread().then(() => undefined);
  waker.start(channel);
  void waker.wake();

  return {
    get state() {
      return session.state;
    },
    get ready() {
      return session.ready;
    },
    subscribe(listener) {
      const call = () => listener();
      session.listeners.add(call);
      return () => void session.listeners.delete(call);
    },
    login: async (credentials) => await account.login(credentials),
    adopt: async (tokens) => await account.adopt(tokens),
    accessToken: async (wanted) => (await session.accessToken(wanted)).access,
    peek() {
      const { record } = session;
      return (isLive(record) && session.ages.isUsable(record) && record.access) || null;
    },
    fetch: async (input, init) => await authFetch.fetch(input, init),
    sessions: async () => await listSessions(session),
    async endSession(sessionId) {
      if (isLive(session.record) && session.record.sid === sessionId) await account.logout(false);
      else await endOtherSession(session, sessionId);
    },
    logout: async ({ everywhere = false } = {}) => await account.logout(everywhere),
    close() {
      waker.close();
      storage.close();
    },
  };
}

function createStorage(storage: "device" | "memory" | AuthStorage, key: string): AuthStorage {
  if (storage === "device") return indexedDbStorage(key);
  return storage === "memory" ? memoryStorage() : storage;
}
