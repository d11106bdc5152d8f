import assert from "node:assert/strict";
import { test } from "node:test";
import { runChecks } from "../../sim/checks/run-checks.ts";
import { Draw } from "../../sim/draw.ts";
import { drawGuard, drawPlan, type Plan } from "../../sim/plan.ts";
import { seededRandom } from "../../src/testing/random.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";

const drawn = drawPlan(1, 10);
const plan = { ...drawn, guards: [], network: { drop: 0, duplicate: 0, slow: 0 } };
const [service = ""] = plan.services;
/** The bound of the view of a guard. */
const boundMs = 15_000;

/** A history with a loss, written by hand. Times are milliseconds since its beginning, and each call takes 10 ms. */
class WrittenLoss {
  readonly #history: HistoryEntry[] = [];
  #calls = 0;

  /** A user logs in and gets the refresh token r1 and the access token a1. */
  constructor() {
    const tokens = { session: "s", refresh: "r1", access: "a1", expiresAt: 300_000 };
    this.call(0, "login", {}, { status: 200, ...tokens });
  }

  entry(at: number, kind: string, data: Readonly<Record<string, unknown>>): this {
    this.#history.push({ at, process: "somewhere", kind, data });
    return this;
  }

  call(at: number, operation: string, call: object, answer: object): this {
    const id = ++this.#calls;
    this.entry(at, "call", { id, operation, user: "ann", session: "s", ...call });
    return this.entry(at + 10, "answer", { id, ...answer });
  }

  refresh(at: number, presented: string, successor: string | null, by = "owner"): this {
    const answer = successor === null ? { status: 400 } : { status: 200, refresh: successor };
    return this.call(at, "refresh", { by, presented }, answer);
  }

  logout(at: number): this {
    return this.call(at, "logout", {}, { status: 204 });
  }

  verdict(at: number, status: string, reason?: string, token = "a1"): this {
    const guard = { guard: "guard", life: 1, maxRevocationAgeMs: boundMs, token };
    return this.call(at, "verdict", { ...guard, clockErrorMs: 0, startErrorMs: 0 }, { status, reason });
  }

  /** The store goes back at a time, and has lost changes that it made at other times. */
  loss(since: number, times: readonly number[], keys: readonly string[], isRemembered = true): this {
    return this.entry(since, "writes lost", {
      since,
      isRemembered,
      changes: times.map((at) => ({ at, keys })),
    });
  }

  /** The store deletes a key at a time. */
  eviction(at: number, key: string): this {
    const changes = [{ at, keys: [`holdfast:${key}`], isWhole: true }];
    return this.entry(at, "writes lost", { since: at, isRemembered: false, changes });
  }

  crash(at: number): this {
    const fault = { number: 1, fault: "crash", target: service };
    return this.entry(at, "fault", fault).entry(at + 5_000, "fault ended", fault);
  }

  /** The names of the checks that fail, each once. */
  failures(changes: Partial<Plan> = {}): string[] {
    const sorted = this.#history.toSorted((one, other) => one.at - other.at);
    const violations = runChecks({ plan: { ...plan, ...changes }, history: sorted, startedAt: 0 });
    return [...new Set(violations.map(({ check }) => check))];
  }
}

const written = () => new WrittenLoss();
const ofSession = ["holdfast:{session:s}"];
const ofLog = ["holdfast:{store}", "holdfast:{store}:log"];

test("a refresh that the store has lost may be done again, and the lost branch of the session is dead", () => {
  const lost = () => written().refresh(1_000, "r1", "r2").loss(2_000, [1_005], ofSession);
  assert.deepEqual(lost().refresh(3_000, "r1", "r3").refresh(4_000, "r3", "r4").failures(), []);
  assert.deepEqual(lost().refresh(3_000, "r2", "r3").failures(), []);
  const forked = lost().refresh(3_000, "r1", "r3").refresh(4_000, "r2", "r4");
  assert.deepEqual(forked.failures(), ["one successor"]);
});

test("a loss of other writes excuses no second successor", () => {
  const early = written().refresh(1_000, "r1", "r2").loss(2_000, [999, 1_011], ofSession);
  assert.deepEqual(early.refresh(3_000, "r1", "r3").failures(), ["one successor"]);
  const foreign = written().refresh(1_000, "r1", "r2").loss(2_000, [1_005], ["holdfast:{session:t}"]);
  assert.deepEqual(foreign.refresh(3_000, "r1", "r3").failures(), ["one successor"]);
  const later = written().refresh(1_000, "r1", "r2").refresh(3_000, "r1", "r3");
  assert.deepEqual(later.loss(4_000, [1_005], ofSession).failures(), ["one successor"]);
});

test("a thief gets a successor only from a store that has lost that the token was replaced", () => {
  const stolen = (since: number) =>
    written()
      .refresh(1_000, "r1", "r2")
      .call(1_100, "acknowledge", { refresh: "r2" }, { status: 204 })
      .loss(since, [1_105], ofSession)
      .refresh(3_000, "r1", "r2", "thief");
  assert.deepEqual(stolen(2_000).failures(), []);
  assert.deepEqual(stolen(4_000).failures(), ["intruders get nothing"]);
});

test("a spent token that is refused ends no session whose store has gone back since", () => {
  const spent = { by: "thief", presented: "r1" };
  const refused = { status: 400, error: "invalid_grant" };
  const stolen = (keys: readonly string[]) =>
    written()
      .refresh(1_000, "r1", "r2")
      .refresh(1_500, "r2", "r3")
      .loss(2_000, [1_505], keys)
      .call(3_000, "refresh", spent, refused)
      .refresh(4_000, "r3", "r4");
  assert.deepEqual(stolen(ofSession).failures(), []);
  assert.deepEqual(stolen(["holdfast:{session:t}"]).failures(), ["intruders get nothing"]);
});

test("a lost logout holds again when the services have had 15 seconds without a fault", () => {
  const lost = () => written().logout(1_000).loss(2_000, [1_005], ofSession);
  assert.deepEqual(lost().refresh(10_000, "r1", "r2", "keeper").failures(), []);
  assert.deepEqual(lost().refresh(18_000, "r1", "r2", "keeper").failures(), ["intruders get nothing"]);
  const disturbed = lost().entry(5_000, "fault", { number: 1, fault: "store stalls", target: null });
  disturbed.entry(9_000, "fault ended", { number: 1 });
  assert.deepEqual(disturbed.refresh(23_000, "r1", "r2", "keeper").failures(), []);
  assert.deepEqual(disturbed.refresh(25_000, "r1", "r2", "keeper").failures(), ["intruders get nothing"]);
});

test("a lost logout stays lost when a service forgets it, or when no service remembers", () => {
  const forgotten = written().logout(1_000).crash(1_500).loss(2_000, [1_005], ofSession);
  assert.deepEqual(forgotten.refresh(90_000, "r1", "r2", "keeper").failures(), []);
  const unknown = written().logout(1_000).loss(2_000, [1_005], ofSession, false);
  assert.deepEqual(unknown.refresh(90_000, "r1", "r2", "keeper").failures(), []);
});

test("a guard refuses the token of a lost logout until the loss, and from its bound after the repair", () => {
  const lost = (since: number) => written().logout(1_000).loss(since, [1_005], ofLog);
  assert.deepEqual(lost(2_000).verdict(31_000, "valid").failures(), []);
  assert.deepEqual(lost(2_000).verdict(33_000, "valid").failures(), ["revoked is refused"]);
  assert.deepEqual(lost(20_000).verdict(17_000, "valid").failures(), ["revoked is refused"]);
  // The entry of the log was kept, so that guards know it.
  const keptEntry = written().logout(1_000).loss(2_000, [1_005], ofSession);
  assert.deepEqual(keptEntry.verdict(17_000, "valid").failures(), ["revoked is refused"]);
});

test("a session whose login was lost is unavailable for ever, and others are not", () => {
  const at = plan.faultyMs + 150_000;
  const lost = (keys: readonly string[]) =>
    written().loss(2_000, [5], keys).call(at, "refresh", { by: "owner", presented: "r1" }, { status: 503 });
  assert.deepEqual(lost(ofSession).failures(), []);
  assert.deepEqual(lost(["holdfast:{session:t}"]).failures(), ["recovery"]);
});

test("a lost change of a password is in force again after the repair", () => {
  const login = { session: "s2", refresh: "r", access: "a", expiresAt: 300_000 };
  const lost = (at: number, password: string, status: number) =>
    written()
      .call(100, "add user", { to: "p1" }, { status: 204 })
      .call(1_000, "set password", { to: "p2" }, { status: 204 })
      .loss(2_000, [1_005], ["holdfast:{users}"])
      .call(at, "password login", { password }, { status, ...(status === 200 && login) })
      .failures();
  assert.deepEqual(lost(3_000, "p1", 200), []);
  assert.deepEqual(lost(3_000, "p2", 401), []);
  assert.deepEqual(lost(18_000, "p1", 200), ["a password decides"]);
  assert.deepEqual(lost(18_000, "p2", 401), ["a password decides"]);
});

test("a deleted session is unavailable, and a deleted log revives no token", () => {
  const at = plan.faultyMs + 150_000;
  const refresh = (history: WrittenLoss, status: number) =>
    history.call(at, "refresh", { by: "owner", presented: "r1" }, { status });
  assert.deepEqual(refresh(written().eviction(2_000, "{session:s}"), 503).failures(), []);
  assert.deepEqual(refresh(written().eviction(2_000, "{session:t}"), 503).failures(), ["recovery"]);
  const known = written().logout(1_000).eviction(2_000, "{store}:in-force").verdict(17_000, "valid");
  assert.deepEqual(known.failures(), ["revoked is refused"]);
});

test("a deleted key of the log excuses only what needs it, and not before it was deleted", () => {
  const at = plan.faultyMs + 150_000;
  const refresh = (key: string, deletedAt = 2_000) =>
    written()
      .eviction(deletedAt, key)
      .call(at, "refresh", { by: "owner", presented: "r1" }, { status: 503 })
      .failures();
  assert.deepEqual(refresh("{store}"), []);
  assert.deepEqual(refresh("{store}", at + 1_000), ["recovery"]);
  assert.deepEqual(refresh("{store}:in-force"), ["recovery"]);
  assert.deepEqual(refresh("{store}:log"), ["recovery"]);
  const verdict = (key: string) => written().eviction(2_000, key).verdict(at, "unavailable").failures();
  assert.deepEqual(verdict("{store}"), []);
  assert.deepEqual(verdict("{store}:in-force"), []);
  // A reader takes a snapshot in place of the newest entries.
  assert.deepEqual(verdict("{store}:log"), ["recovery"]);
  // A service that starts needs a snapshot before it answers its first introspection.
  const status = { guard: "guard", ageMs: 0, breaker: "open" };
  const breaker = (key: string) =>
    written().eviction(2_000, key).entry(at, "guard status", status).failures();
  assert.deepEqual(breaker("{store}:in-force"), []);
  assert.deepEqual(breaker("{store}:log"), ["recovery"]);
});

test("only a guard that opened an emptied store by itself, without a snapshot, knows no earlier revocation", () => {
  const drawnGuard = { ...drawGuard(new Draw(seededRandom(1)), 0), name: "guard", hasAuthority: false };
  const revived = (guard: object, emptiedAt = 2_000) =>
    written()
      .logout(1_000)
      .eviction(emptiedAt, "{store}")
      .verdict(30_000, "valid")
      .failures({ guards: [{ ...drawnGuard, ...guard }] });
  assert.deepEqual(revived({ readsStore: true, hasSnapshots: false }), []);
  assert.deepEqual(revived({ readsStore: true, hasSnapshots: true }), ["revoked is refused"]);
  assert.deepEqual(revived({ readsStore: false, hasSnapshots: false }), ["revoked is refused"]);
  assert.deepEqual(revived({ readsStore: true, hasSnapshots: false }, 31_000), ["revoked is refused"]);
});

test("a token is refused as one of an unknown key only when the store has lost a rotation of keys", () => {
  const refused = (rotatedAt: number, loss: (history: WrittenLoss) => WrittenLoss, usedAt = 3_000) =>
    loss(written().call(rotatedAt, "rotate keys", {}, { status: 204 }))
      .call(500, "login", {}, { status: 200, session: "s2", refresh: "r9", access: "a9", expiresAt: 300_000 })
      .verdict(usedAt, "invalid", "unknown_key", "a9")
      .failures();
  const wrong = ["an outage is never invalid"];
  const lost = (at: number) => (history: WrittenLoss) => history.loss(2_000, [at], ["holdfast:{store}"]);
  assert.deepEqual(refused(200, lost(205)), []);
  assert.deepEqual(refused(200, lost(300)), wrong);
  assert.deepEqual(refused(700, lost(705)), wrong);
  assert.deepEqual(
    refused(200, (history) => history.loss(2_000, [205], ofSession)),
    wrong,
  );
  // The process applies the rotation again within 15 s, and every service reads the keys within a minute.
  assert.deepEqual(refused(200, lost(205), 77_000), []);
  assert.deepEqual(refused(200, lost(205), 79_000), wrong);
  const forgotten = (history: WrittenLoss) => history.loss(2_000, [205], ["holdfast:{store}"], false);
  assert.deepEqual(refused(200, forgotten, 79_000), []);
});

test("a loss excuses no failure before it", () => {
  const at = plan.faultyMs + 150_000;
  const refused = written().call(at, "refresh", { by: "owner", presented: "r1" }, { status: 503 });
  assert.deepEqual(refused.loss(at + 1_000, [5], ofSession).failures(), ["recovery"]);
});

test("the end of a user reaches no session whose place in the list of the user was deleted", () => {
  const ended = (key: string) =>
    written()
      .eviction(500, key)
      .call(1_000, "end subject", {}, { status: 204 })
      .refresh(2_000, "r1", "r2", "keeper");
  assert.deepEqual(ended("{subject:ann}:sessions").failures(), []);
  assert.deepEqual(ended("{subject:ann}:cutoff").failures(), []);
  assert.deepEqual(ended("{attempts}").failures(), ["intruders get nothing"]);
});
