import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { auditEvents } from "../../src/core/event-channels.ts";
import type { AuditEvent } from "../../src/core/events.ts";
import type { Issuer, RefreshOutcome, TokenResponse } from "../../src/issuer/types.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { createFixture, logIn } from "../issuer/fixture.ts";
import { advanceInSteps, countCalls } from "../issuer/stores.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

/** An honest client. It keeps its token whenever it does not know what became of a refresh. */
export class RefreshingClient {
  readonly #issuer: Issuer;
  readonly acknowledges: boolean;
  tokens: TokenResponse;
  /** The refresh tokens that the client has replaced, the newest last. A thief may hold each of them. */
  readonly spent: string[] = [];

  constructor(issuer: Issuer, acknowledges: boolean, tokens: TokenResponse) {
    this.#issuer = issuer;
    this.acknowledges = acknowledges;
    this.tokens = tokens;
  }

  /** Sends a refresh whose answer the client never gets. */
  async loseRefresh(): Promise<void> {
    await this.#issuer.refresh(this.tokens.refresh_token);
  }

  /** Refreshes once, and stores the answer. */
  async refresh(): Promise<RefreshOutcome["status"]> {
    return await this.receive(await this.#issuer.refresh(this.tokens.refresh_token));
  }

  /** Stores the answer to a refresh, and acknowledges it. */
  async receive(outcome: RefreshOutcome): Promise<RefreshOutcome["status"]> {
    if (outcome.status !== "ok") return outcome.status;
    this.spent.push(this.tokens.refresh_token);
    this.tokens = outcome.tokens;
    if (this.acknowledges) await this.#issuer.acknowledge(this.tokens.refresh_token);
    return "ok";
  }
}

/** Logs in six clients, of which every second one acknowledges. Each has refreshed once. */
export async function startClients(issuer: Issuer): Promise<RefreshingClient[]> {
  const clients: RefreshingClient[] = [];
  for (let n = 0; n < 6; n++) {
    const client = new RefreshingClient(issuer, n % 2 === 0, await logIn(issuer, `user-${n}`));
    assert.equal(await client.refresh(), "ok");
    clients.push(client);
  }
  return clients;
}

const ALARMS: readonly AuditEvent["kind"][] = [
  "refresh_reuse",
  "refresh_forked",
  "refresh_shadowed",
  "store_rolled_back",
];

/** Collects the audit events that suspect a client or the store. */
export function collectAlarms(t: TestContext): AuditEvent[] {
  const alarms: AuditEvent[] = [];
  const collect = (message: unknown) => {
    const event = message as AuditEvent;
    if (ALARMS.includes(event.kind)) alarms.push(event);
  };
  auditEvents.subscribe(collect);
  t.after(() => auditEvents.unsubscribe(collect));
  return alarms;
}

/**
 * Replays the token that each client replaced, after its successor arrived and `passConflict` has let `conflictMs` pass.
 * Each replay must end its session and no other one.
 */
export async function expectThievesFound(
  issuer: Issuer,
  clients: readonly RefreshingClient[],
  alarms: readonly AuditEvent[],
  passConflict: () => Promise<void>,
): Promise<void> {
  const before = alarms.length;
  for (const client of clients) {
    assert.equal(await client.refresh(), "ok");
    // The acknowledgement of a client that sends none is its next refresh.
    if (!client.acknowledges) assert.equal(await client.refresh(), "ok");
  }
  await passConflict();
  for (const [n, client] of clients.entries()) {
    const stolen = client.spent.at(client.acknowledges ? -1 : -2) ?? "";
    assert.equal((await issuer.refresh(stolen)).status, "invalid_grant");
    assert.deepEqual(
      alarms.slice(before).map(({ kind, session }) => [kind, session]),
      clients.slice(0, n + 1).map(({ tokens }) => ["refresh_reuse", tokens.session_id]),
    );
    assert.equal(await client.refresh(), "invalid_grant");
  }
}

const CONFLICT_MS = 30_000;

/** Clients that have refreshed, of an issuer whose store decides by the same fake clock. `conflictMs` is its default, 30 s. */
export interface ClockedClients {
  readonly clock: FakeClock;
  readonly issuer: Issuer;
  readonly alarms: readonly AuditEvent[];
  readonly clients: readonly RefreshingClient[];
  readonly advance: (ms: number) => Promise<void>;
  /** Asserts that no alarm was raised, and that thieves of the tokens are still found. */
  readonly expectNoAlarms: () => Promise<void>;
}

export async function startClockedClients(
  t: TestContext,
  open: (t: TestContext, clock: FakeClock) => Promise<Store>,
): Promise<ClockedClients> {
  const clock = new FakeClock();
  const store = await open(t, clock);
  const { issuer } = createFixture({ clock, store });
  t.after(async () => await issuer.close());
  const alarms = collectAlarms(t);
  const clients = await startClients(issuer);
  const advance = async (ms: number) => await advanceInSteps(clock, store, ms);
  return {
    clock,
    issuer,
    alarms,
    clients,
    advance,
    async expectNoAlarms() {
      assert.deepEqual(alarms, []);
      await expectThievesFound(issuer, clients, alarms, async () => await advance(CONFLICT_MS + 1));
    },
  };
}

/** The stores on a fake clock, which each decides by. */
export const clockedStores: readonly {
  readonly name: string;
  readonly skip: string | false;
  readonly open: (t: TestContext, clock: FakeClock) => Promise<Store>;
}[] = [
  {
    name: "SQLite",
    skip: false,
    async open(t, clock) {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const store = await sqliteStore({ file: join(folder, "holdfast.db"), clock });
      t.after(async () => await store.close());
      return countCalls(store);
    },
  },
  {
    name: "Redis",
    skip: noRedis,
    async open(t, clock) {
      const server = await RedisServer.start();
      t.after(async () => await server.stop());
      const store = await redisStore({ url: server.url, clock });
      t.after(async () => await store.close());
      return countCalls(store);
    },
  },
];
