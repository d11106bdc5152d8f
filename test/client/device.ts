import type { TestContext } from "node:test";
import {
  createAuthClient,
  type AuthClient,
  type AuthClientOptions,
  type AuthRecord,
  type AuthStorage,
} from "../../src/client/index.ts";
import { createIssuer } from "../../src/issuer/index.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

type IssuerOptions = Partial<Parameters<typeof createIssuer>[0]>;

/** What happens to a request instead of reaching the issuer. `undefined` lets it pass. */
export type FaultRule = (
  path: string,
  request: Request,
  pass: () => Promise<Response>,
) => Promise<Response> | Response | undefined;

/** A device with tabs, and the issuer that they use. All of them have the same fake clock. */
export interface Device {
  readonly clock: FakeClock;
  /** The paths of all requests, in order. */
  readonly sent: string[];
  /** Whether the issuer found a spent token that came back. */
  hasAlarm(): Promise<boolean>;
  readonly storage: SharedStorage;
  /** Decides about every request. */
  fault: FaultRule;
  readonly issuer: ReturnType<typeof createIssuer>;
  /** Opens a tab. Its client is closed after the test. */
  tab(options?: Partial<AuthClientOptions>): AuthClient;
  /** How many requests went to a path. */
  count(path: string): number;
}

export const idUrl = "https://id.example.com";
export const apiUrl = "https://api.example.com";

/** The storage that all tabs of a device share, as IndexedDB is. */
export class SharedStorage implements AuthStorage {
  readonly persistence = "device";
  record: AuthRecord | null = null;
  /** Rejects every read or write while it is true. */
  isBroken = false;

  async update(change: (record: AuthRecord | null) => AuthRecord | undefined): Promise<AuthRecord | null> {
    await Promise.resolve();
    if (this.isBroken) throw new Error("The disk is full.");
    this.record = change(this.record) ?? this.record;
    return this.record;
  }
}

/** Starts a device with an issuer of its own. */
export function startDevice(t: TestContext, issuerOptions: IssuerOptions = {}): Device {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const issuer = createIssuer({
    url: idUrl,
    audience: apiUrl,
    store,
    secret: "a secret of these tests with more than 32 bytes",
    authenticate: ({ username }) =>
      username === "mallory" ? null : { subject: String(username), scopes: [] },
    clock,
    ...issuerOptions,
  });
  t.after(async () => await issuer.close());
  const sent: string[] = [];
  const storage = new SharedStorage();
  const device: Device = {
    clock,
    sent,
    hasAlarm: async () => (await store.audit.recent(100)).some(({ kind }) => kind === "refresh_reuse"),
    storage,
    issuer,
    fault: () => undefined,
    tab(options = {}) {
      const client = createAuthClient({
        baseUrl: idUrl,
        origins: [apiUrl],
        storage,
        // Node shares locks and channels between all tests of a process.
        key: t.name,
        clock,
        random: () => 0.5,
        fetch: async (input, init) => {
          const request = new Request(input, init);
          const { pathname } = new URL(request.url);
          sent.push(pathname);
          const pass = async () => await issuer.fetch(request.clone());
          return await (device.fault(pathname, request, pass) ?? pass());
        },
        ...options,
      });
      t.after(() => client.close());
      return client;
    },
    count: (path) => sent.filter((one) => one === path).length,
  };
  return device;
}

/** Runs all pending promise reactions and messages between tabs. */
export async function settle(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
