import assert from "node:assert/strict";
import { test } from "node:test";
import { runChecks } from "../../sim/checks/run-checks.ts";
import { drawPlan } from "../../sim/plan.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";

const drawn = drawPlan(1, 10);
const plan = {
  ...drawn,
  guards: [],
  network: { drop: 0.01, duplicate: 0, slow: 0 },
  // Only a store that asks no replica may lose an acknowledged write in a run without such faults.
  replication: { ...drawn.replication, confirmations: 0 },
};

/** What one service answered, written by hand. Times are milliseconds since the beginning. */
class WrittenHealth {
  readonly #history: HistoryEntry[] = [];
  #calls = 0;

  #call(at: number, operation: string, call: object, answer: object): this {
    const id = ++this.#calls;
    this.#history.push({ at, process: "service-1", kind: "call", data: { id, operation, ...call } });
    this.#history.push({ at: at + 10, process: "service-1", kind: "answer", data: { id, ...answer } });
    return this;
  }

  refresh(at: number, status: number, presented = "r1"): this {
    const call = { service: "service-1", path: "/auth/refresh", presented };
    return this.#call(at, "served", call, { status });
  }

  /** A user of this name logs in and presents the refresh token r1. */
  session(user: string): this {
    const tokens = { session: "s", refresh: "r1", access: "a1", expiresAt: 300_000 };
    return this.#call(0, "login", { user }, { status: 200, ...tokens }).#call(
      100,
      "refresh",
      { user, session: "s", by: "owner", presented: "r1" },
      { status: 503 },
    );
  }

  /** The store loses what it wrote under a key at the time of the login, and the service announces that. */
  loss(since: number, key: string): this {
    const data = { since, isRemembered: false, changes: [{ at: 5, keys: [key] }] };
    this.#history.push({ at: since, process: null, kind: "writes lost", data });
    const announced = { event: "store_rolled_back" };
    for (const kind of ["announced", "audited"])
      this.#history.push({ at: since, process: "service-1", kind, data: announced });
    return this;
  }

  verdict(at: number, status: string, cause?: string): this {
    return this.#call(at, "verdict", { guard: "service-1", token: "a1" }, { status, cause });
  }

  health(at: number, status: number, outcomes: object): this {
    return this.#call(at, "health", { service: "service-1" }, { status, ...outcomes });
  }

  freeze(at: number, ms: number): this {
    return this.#fault(at, ms, "freeze", "service-1");
  }

  crashStore(at: number, ms: number): this {
    return this.#fault(at, ms, "store crashes", null);
  }

  #fault(at: number, ms: number, fault: string, target: string | null): this {
    const data = { number: at, fault, target, durationMs: ms };
    this.#history.push({ at, process: null, kind: "fault", data });
    this.#history.push({ at: at + ms, process: null, kind: "fault ended", data });
    return this;
  }

  stall(at: number): this {
    return this.#fault(at, 10_000, "store stalls", null);
  }

  refuse(at: number): this {
    return this.#fault(at, 10_000, "store refuses", null);
  }

  isolate(at: number, process: string): this {
    return this.#fault(at, 10_000, "isolation", process);
  }

  /** A fault that hits no process of the service and not its store. */
  disturb(at: number, fault: string): this {
    return this.#fault(at, 10_000, fault, null);
  }

  /** The names of the checks that fail, each once. */
  failures(): string[] {
    const violations = runChecks({ plan, history: this.#history, startedAt: 0 });
    return [...new Set(violations.map(({ check }) => check))];
  }
}

const failing = () => new WrittenHealth().refresh(1_000, 503).refresh(2_000, 503);
const working = () => new WrittenHealth().verdict(1_000, "valid").verdict(2_000, "valid");

test("health that agrees with the answers violates nothing", () => {
  assert.deepEqual(failing().health(3_000, 200, { refresh: "degraded" }).failures(), []);
  assert.deepEqual(working().health(3_000, 200, { ownTokens: "ok" }).failures(), []);
  const mixed = failing().refresh(2_500, 200).health(3_000, 200, { refresh: "ok" });
  assert.deepEqual(mixed.failures(), [], "one of three answers succeeded");
  const frozen = failing().freeze(2_100, 500).health(3_000, 200, { refresh: "ok" });
  assert.deepEqual(frozen.failures(), [], "a frozen service knows nothing yet");
  const pending = new WrittenHealth()
    .verdict(1_000, "unavailable", "key_pending")
    .verdict(2_000, "unavailable", "key_pending");
  assert.deepEqual(pending.health(3_000, 200, { ownTokens: "ok" }).failures(), [], "a new key is no outage");
});

test("the check notices that health is well while every refresh fails", () => {
  assert.deepEqual(failing().health(3_000, 200, { refresh: "ok" }).failures(), ["health agrees"]);
});

test("the check notices that health is well while no token can be checked", () => {
  const written = new WrittenHealth()
    .verdict(1_000, "unavailable", "revocations_stale")
    .verdict(2_000, "unavailable", "revocations_stale");
  assert.deepEqual(written.health(3_000, 200, { ownTokens: "ok" }).failures(), ["health agrees"]);
});

test("the check notices that a service which works leaves the load balancer", () => {
  assert.deepEqual(working().health(3_000, 503, { ownTokens: "ok" }).failures(), ["health agrees"]);
  assert.deepEqual(working().health(3_000, 200, { ownTokens: "unavailable" }).failures(), ["health agrees"]);
});

test("refused tokens prove no wrong health, because a guard without revocations refuses an expired token", () => {
  const refused = () => new WrittenHealth().verdict(1_000, "invalid").verdict(1_500, "invalid");
  const told = { ownTokens: "unavailable" };
  assert.deepEqual(refused().health(3_000, 503, told).failures(), []);
  assert.deepEqual(refused().verdict(2_000, "valid").health(3_000, 503, told).failures(), []);
  const valid = refused().verdict(2_000, "valid").verdict(2_500, "valid");
  assert.deepEqual(valid.health(3_000, 503, told).failures(), ["health agrees"]);
});

test("health may tell of a fault that began after the last answer, and not of an old one", () => {
  const told = { ownTokens: "unavailable" };
  assert.deepEqual(working().stall(2_500).health(3_000, 200, told).failures(), []);
  const before = new WrittenHealth().stall(500).verdict(11_000, "valid").verdict(12_000, "valid");
  assert.deepEqual(before.health(13_000, 200, told).failures(), ["health agrees"]);
});

test("refreshes that succeeded while the store refuses some commands prove no wrong health", () => {
  const refreshed = () => new WrittenHealth().refresh(11_000, 200).refresh(12_000, 400);
  const told = { refresh: "unavailable" };
  assert.deepEqual(refreshed().health(13_000, 200, told).failures(), ["health agrees"]);
  assert.deepEqual(refreshed().refuse(5_000).health(13_000, 200, told).failures(), []);
  assert.deepEqual(refreshed().stall(5_000).health(13_000, 200, told).failures(), ["health agrees"]);
});

test("a fault of another part explains no wrong health", () => {
  const told = { ownTokens: "unavailable" };
  const isolated = (process: string) => working().isolate(2_500, process).health(3_000, 200, told);
  assert.deepEqual(isolated("service-1").failures(), []);
  assert.deepEqual(isolated("service-2").failures(), ["health agrees"]);
  assert.deepEqual(isolated("guard-1").failures(), ["health agrees"]);
  for (const fault of ["lossy network", "authority fails", "client offline"]) {
    const disturbed = working().disturb(2_500, fault).health(3_000, 200, told);
    assert.deepEqual(disturbed.failures(), ["health agrees"], fault);
  }
});

test("a loss explains failed refreshes only of the sessions and users that it concerns, and not before it", () => {
  const well = { refresh: "ok" };
  const lost = (since: number, key: string) =>
    failing().session("ann").loss(since, key).health(3_000, 200, well);
  assert.deepEqual(lost(500, "holdfast:{session:s}").failures(), []);
  assert.deepEqual(lost(500, "holdfast:{session:other}").failures(), ["health agrees"]);
  assert.deepEqual(lost(2_700, "holdfast:{session:s}").failures(), ["health agrees"]);
});

test("the check notices that a service calls refreshes well while its store is down", () => {
  const down = () => new WrittenHealth().crashStore(1_000, 10_000);
  assert.deepEqual(down().health(5_000, 200, { refresh: "ok" }).failures(), ["health agrees"]);
  assert.deepEqual(down().health(5_000, 200, { refresh: "unavailable" }).failures(), []);
  assert.deepEqual(down().health(3_500, 200, { refresh: "ok" }).failures(), [], "health may be late");
  assert.deepEqual(down().health(12_000, 200, { refresh: "ok" }).failures(), [], "the store is up again");
});
