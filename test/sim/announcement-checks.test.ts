import assert from "node:assert/strict";
import { test } from "node:test";
import { recordAnnouncements } from "../../sim/announcements.ts";
import { runChecks } from "../../sim/checks/run-checks.ts";
import { drawPlan } from "../../sim/plan.ts";
import { auditEvents, issuerEvents, storeEvents } from "../../src/core/event-channels.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";

const drawn = drawPlan(1, 10);
const service = "service-1";
const plan = {
  ...drawn,
  services: [service],
  guards: [],
  network: { drop: 0.01, duplicate: 0, slow: 0 },
  faults: [],
  replication: { replicas: 1, confirmations: 0 },
};

/** A history with losses and announcements, written by hand. Times are milliseconds since its beginning. */
class WrittenAnnouncements {
  readonly #history: HistoryEntry[] = [];
  #calls = 0;

  /** A user logs in and gets the refresh token r1. */
  constructor() {
    const tokens = { session: "s", refresh: "r1", access: "a1", expiresAt: 300_000 };
    this.#call(0, "login", {}, { status: 200, ...tokens });
  }

  entry(at: number, kind: string, data: Readonly<Record<string, unknown>>): this {
    this.#history.push({ at, process: service, kind, data });
    return this;
  }

  #call(at: number, operation: string, call: object, answer: object): this {
    const id = ++this.#calls;
    this.entry(at, "call", { id, operation, user: "ann", session: "s", ...call });
    return this.entry(at + 10, "answer", { id, ...answer });
  }

  /** A refresh, as its client and as its server see it. */
  refresh(at: number, presented: string, status: number, refresh?: string): this {
    this.#call(at, "refresh", { by: "owner", presented }, { status, refresh });
    const served = { service, path: "/auth/refresh", presented };
    return this.#call(at + 1, "served", served, { status });
  }

  logout(at: number): this {
    return this.#call(at, "logout", {}, { status: 204 });
  }

  /** The store goes back, and has lost a change of these keys. */
  loss(since: number, at: number, keys: readonly string[], isWhole?: true): this {
    const changes = [{ at, keys, ...(isWhole && { isWhole }) }];
    return this.entry(since, "writes lost", { since, isRemembered: true, changes });
  }

  eviction(at: number, ms: number): this {
    const fault = { number: 1, fault: "store loses writes", target: null };
    return this.entry(at, "server fault", { number: 1, fault: "a server evicts keys" })
      .entry(at, "fault", fault)
      .entry(at + ms, "fault ended", fault);
  }

  announced(at: number, event: string): this {
    const isAudited = event === "store_rolled_back";
    const written = this.entry(at, "announced", { event });
    return isAudited ? written.entry(at, "audited", { event }) : written;
  }

  /** The names of the checks that fail, each once. */
  failures(confirmations: number | null = 0): string[] {
    const sorted = this.#history.toSorted((one, other) => one.at - other.at);
    const replication = { ...plan.replication, confirmations };
    const violations = runChecks({ plan: { ...plan, replication }, history: sorted, startedAt: 0 });
    return [...new Set(violations.map(({ check }) => check))];
  }
}

const written = () => new WrittenAnnouncements();
const ofSession = ["holdfast:{session:s}"];
const ofLog = ["holdfast:{store}", "holdfast:{store}:log", "holdfast:{store}:in-force"];
const missing = ["losses are announced"];

test("the announcements of issuers and stores are recorded until that ends, and other events are not", () => {
  const recorded: unknown[] = [];
  const end = recordAnnouncements({ record: (kind, data) => void recorded.push([kind, data]) });
  const publish = () => {
    issuerEvents.publish({ issuer: "i", event: "store_rolled_back", message: "" });
    issuerEvents.publish({ issuer: "i", event: "clock_differs", message: "" });
    storeEvents.publish({ store: "s", event: "writes_restored", message: "" });
    for (const kind of ["login", "store_rolled_back"] as const) {
      auditEvents.publish({
        at: 0,
        kind,
        subject: null,
        session: null,
        actor: null,
        source: null,
        detail: null,
      });
    }
  };
  publish();
  end();
  publish();
  assert.deepEqual(recorded, [
    ["announced", { event: "store_rolled_back" }],
    ["announced", { event: "writes_restored" }],
    ["audited", { event: "store_rolled_back" }],
  ]);
});

test("the check notices an announcement without a loss", () => {
  const events = ["store_rolled_back", "writes_restored", "durability_lost", "durability_restored"];
  for (const event of events) {
    assert.deepEqual(written().announced(3_000, event).failures(), missing, event);
    const later = written().announced(3_000, event).loss(3_001, 2_000, ofSession).eviction(3_001, 1_000);
    assert.deepEqual(later.failures(), missing, `${event} came before the loss`);
  }
  const other = written().loss(2_000, 1_000, ["holdfast:{audit}"]).announced(3_000, "store_rolled_back");
  assert.deepEqual(other.failures(), missing, "the loss concerns no session");
});

test("the check notices that a session went on from a token ahead of the store without an announcement", () => {
  const ahead = () =>
    written().refresh(1_000, "r1", 200, "r2").loss(2_000, 1_005, ofSession).refresh(3_000, "r2", 200, "r3");
  assert.deepEqual(ahead().failures(), missing);
  assert.deepEqual(ahead().announced(3_005, "store_rolled_back").failures(), []);
  assert.deepEqual(ahead().announced(3_500, "store_rolled_back").failures(), missing);
  const kept = written().refresh(1_000, "r1", 200, "r2").refresh(3_000, "r2", 200, "r3");
  assert.deepEqual(kept.failures(), [], "the store has lost nothing");
});

test("the check notices that an announcement is not in the audit log", () => {
  const event = "store_rolled_back";
  const lost = () => written().loss(2_000, 1_005, ofSession).entry(3_000, "announced", { event });
  assert.deepEqual(lost().failures(), missing);
  assert.deepEqual(lost().entry(3_000, "audited", { event }).failures(), []);
});

test("the check notices that a write was lost although a replica had to have it", () => {
  const ahead = () =>
    written().refresh(1_000, "r1", 200, "r2").loss(2_000, 1_005, ofSession).refresh(3_000, "r2", 200, "r3");
  const told = () => ahead().announced(3_005, "store_rolled_back");
  assert.deepEqual(told().failures(null), ["confirmed writes are kept"]);
  assert.deepEqual(told().failures(0), [], "the store asks no replica");
});

test("a lost key that was moving excuses the announcement of its session, and no other announcement", () => {
  const lost = (since: number, keys: readonly string[]) =>
    written()
      .refresh(1_000, "r1", 200, "r2")
      .loss(2_000, 1_005, ofSession)
      .refresh(3_000, "r2", 200, "r3")
      .announced(3_005, "store_rolled_back")
      .loss(since, 500, keys, true)
      .failures(null);
  assert.deepEqual(lost(1_500, ofSession), [], "the session was moving");
  assert.deepEqual(lost(1_500, ["holdfast:{users}"]), [], "the users were moving");
  const kept = ["confirmed writes are kept"];
  assert.deepEqual(lost(1_500, ["holdfast:{audit}"]), kept, "another key was moving");
  assert.deepEqual(lost(1_500, ["holdfast:{session:other}"]), kept, "another session was moving");
  assert.deepEqual(lost(3_500, ofSession), kept, "the session was lost afterwards");
  const unserved = written()
    .loss(2_000, 1_005, ["holdfast:{session:other}"], true)
    .announced(3_005, "store_rolled_back");
  assert.deepEqual(unserved.failures(null), [], "the announcement may concern the session that was moving");
});

test("the check notices that a lost session was refused without an announcement in the last minute", () => {
  const lost = () => written().loss(2_000, 5, ofSession).refresh(90_000, "r1", 503);
  assert.deepEqual(lost().failures(), missing);
  assert.deepEqual(lost().announced(40_000, "store_rolled_back").failures(), []);
  assert.deepEqual(lost().announced(25_000, "store_rolled_back").failures(), missing);
  const disturbed = lost().entry(80_000, "fault", { number: 2, fault: "store stalls", target: null });
  assert.deepEqual(disturbed.failures(), [], "the service may not have read the session");
});

test("the check notices that lost revocations were restored without an announcement", () => {
  const lost = () => written().logout(1_000).loss(2_000, 1_005, ofLog);
  assert.deepEqual(lost().failures(), missing);
  assert.deepEqual(lost().announced(5_000, "writes_restored").failures(), []);
  assert.deepEqual(lost().announced(60_000, "writes_restored").failures(), missing, "it came too late");
  const two = lost().logout(1_002);
  assert.deepEqual(two.failures(), [], "the other logout may have appended the entry, without an answer");
  const heartbeat = written().logout(1_000).loss(2_000, 1_005, ["holdfast:{store}"]);
  assert.deepEqual(heartbeat.failures(), [], "only a heartbeat was lost");
});

test("no announcement is expected of a loss that deleted the log or the manifest, because nothing is restored", () => {
  const begin = () => new WrittenAnnouncements().logout(1_000);
  const log = ["holdfast:{store}:in-force"];
  assert.deepEqual(begin().loss(2_000, 1_005, log, true).failures(), []);
  const withoutManifest = begin().loss(2_000, 1_005, log).loss(2_000, 1_500, ["holdfast:{store}"], true);
  assert.deepEqual(withoutManifest.failures(), []);
});

test("the check notices that the risk of evictions, or its end, was not announced within a minute", () => {
  const end = { at: 300_000, kind: "quiet" } as const;
  const evicted = (ms: number) => written().eviction(30_000, ms).entry(end.at, end.kind, {});
  assert.deepEqual(evicted(20_000).failures(), [], "no process has looked at the configuration");
  assert.deepEqual(evicted(70_000).failures(), missing);
  const told = (ms: number) => evicted(ms).announced(40_000, "durability_lost");
  assert.deepEqual(told(20_000).failures(), missing);
  assert.deepEqual(told(20_000).announced(90_000, "durability_restored").failures(), []);
  assert.deepEqual(told(20_000).announced(120_000, "durability_restored").failures(), missing);
});
