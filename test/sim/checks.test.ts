import assert from "node:assert/strict";
import { test } from "node:test";
import { runChecks } from "../../sim/checks/run-checks.ts";
import { drawPlan, type Plan, type PlannedGuard } from "../../sim/plan.ts";
import { CLOCK_ERROR_MS, WRONG_CLOCK } from "../../sim/stores/redis-faults.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";

const drawn = drawPlan(1, 10);
const plan = { ...drawn, guards: [], lifetimes: { ...drawn.lifetimes, accessTokenTtlMs: 300_000 } };
const { conflictMs, refreshIdleMs, lostAnswerMs } = plan.lifetimes;
const boundMs = 60_000;
const plannedGuard: PlannedGuard = {
  name: "guard",
  revocationPollMs: 1_000,
  maxRevocationAgeMs: boundMs,
  degraded: "deny",
  hasAuthority: false,
  hasSnapshots: false,
  readsStore: false,
  memoryTtlMs: 60_000,
};

/** A history that is written by hand. Times are milliseconds since its beginning. */
class WrittenHistory {
  readonly history: HistoryEntry[] = [];
  #calls = 0;

  entry(at: number, kind: string, data: Readonly<Record<string, unknown>>): this {
    this.history.push({ at, process: "somewhere", kind, data });
    return this;
  }

  call(at: number, operation: string, call: object, answer: object | null, tookMs = 10): this {
    const id = ++this.#calls;
    this.entry(at, "call", { id, operation, ...call });
    return answer === null ? this : this.entry(at + tookMs, "answer", { id, ...answer });
  }

  /** A user logs in and gets the access token a1 and the refresh token r1. */
  login(): this {
    const tokens = { session: "s", refresh: "r1", access: "a1", expiresAt: 300_000 };
    return this.call(0, "login", { user: "ann" }, { status: 200, ...tokens });
  }

  refresh(at: number, by: string, presented: string, answer: object): this {
    return this.call(at, "refresh", { user: "ann", session: "s", by, presented }, answer);
  }

  verdict(at: number, answer: object, call: object = {}): this {
    const guard = { guard: "guard", life: 1, maxRevocationAgeMs: boundMs, token: "a1" };
    return this.call(at, "verdict", { ...guard, clockErrorMs: 0, startErrorMs: 0, ...call }, answer);
  }

  logout(at: number): this {
    return this.call(at, "logout", { user: "ann", session: "s" }, { status: 204 });
  }

  /** The names of the checks that fail, each once. */
  failures(changes: Partial<Plan> = {}): string[] {
    const violations = runChecks({ plan: { ...plan, ...changes }, history: this.history, startedAt: 0 });
    return [...new Set(violations.map(({ check }) => check))];
  }
}

const valid = { status: "valid" };
const refused = (reason: string) => ({ status: "invalid", reason });

test("an ordinary history violates nothing", () => {
  const written = new WrittenHistory()
    .login()
    .verdict(1_000, valid)
    .refresh(2_000, "owner", "r1", {
      status: 200,
      session: "s",
      refresh: "r2",
      access: "a2",
      expiresAt: 302_000,
    })
    .call(2_100, "acknowledge", { session: "s", refresh: "r2" }, { status: 204 })
    .refresh(3_000, "thief", "r1", { status: 409 })
    .logout(4_000)
    .verdict(4_000 + boundMs, valid)
    .verdict(5_000 + boundMs, refused("revoked"))
    .verdict(310_000, refused("expired"))
    .refresh(9_000, "keeper", "r2", { status: 400 });
  assert.deepEqual(written.failures(), []);
});

test("a conflict lasts longer by the error of the clock of the store", () => {
  const conflict = (at: number) =>
    new WrittenHistory()
      .login()
      .refresh(1_000, "owner", "r1", { status: 200, refresh: "r2" })
      .call(1_100, "acknowledge", { session: "s", refresh: "r2" }, { status: 204 })
      .refresh(at, "thief", "r1", { status: 409 });
  const late = 5_000 + conflictMs;
  const wrongClock = (written: WrittenHistory, from: number, to: number) =>
    written
      .entry(from, "server fault", { number: 1, fault: WRONG_CLOCK })
      .entry(from, "fault", { number: 1, fault: "store refuses", target: null })
      .entry(to, "fault ended", { number: 1 });
  assert.deepEqual(wrongClock(conflict(late), late - 1_000, late + 1_000).failures(), [], "behind now");
  assert.deepEqual(wrongClock(conflict(late), 500, 1_500).failures(), [], "ahead at the arrival");
  assert.deepEqual(
    wrongClock(conflict(late), 100, 500).failures(),
    ["theft is found"],
    "right since the refresh",
  );
  const later = late + CLOCK_ERROR_MS;
  assert.deepEqual(
    wrongClock(conflict(later), 500, later).failures(),
    ["theft is found"],
    "for longer than the error",
  );
});

const wrong: readonly [check: string, what: string, written: WrittenHistory][] = [
  [
    "one successor",
    "a repeat gets another successor",
    new WrittenHistory()
      .login()
      .refresh(1_000, "owner", "r1", { status: 200, refresh: "r2" })
      .refresh(2_000, "owner", "r1", { status: 200, refresh: "r3" }),
  ],
  [
    "nobody is logged out",
    "an owner whose answers were lost is refused",
    new WrittenHistory()
      .login()
      .call(1_000, "refresh", { user: "ann", session: "s", by: "owner", presented: "r1" }, null)
      .refresh(Math.min(lostAnswerMs, refreshIdleMs) - 5_000, "owner", "r1", { status: 400 }),
  ],
  [
    "intruders get nothing",
    "a session that has ended is refreshed",
    new WrittenHistory().login().logout(1_000).refresh(2_000, "keeper", "r1", { status: 200 }),
  ],
  [
    "intruders get nothing",
    "a forged refresh token is accepted",
    new WrittenHistory().login().refresh(2_000, "forger", "r9", { status: 200 }),
  ],
  [
    "theft is found",
    "a spent token is a conflict for too long",
    new WrittenHistory()
      .login()
      .refresh(1_000, "owner", "r1", { status: 200, refresh: "r2" })
      .call(1_100, "acknowledge", { session: "s", refresh: "r2" }, { status: 204 })
      .refresh(5_000 + conflictMs, "thief", "r1", { status: 409 }),
  ],
  ["expired is refused", "an expired token is valid", new WrittenHistory().login().verdict(306_000, valid)],
  [
    "revoked is refused",
    "a token is valid after the bound of the view",
    new WrittenHistory()
      .login()
      .logout(1_000)
      .verdict(2_000 + boundMs, valid),
  ],
  [
    "revoked is refused",
    "the end of a user leaves a session that began before",
    new WrittenHistory()
      .login()
      .call(1_000, "end subject", { user: "ann" }, { status: 204 })
      .verdict(2_000 + boundMs, valid),
  ],
  [
    "revoked stays revoked",
    "a guard forgets a revocation",
    new WrittenHistory().login().logout(1_000).verdict(2_000, refused("revoked")).verdict(3_000, valid),
  ],
  [
    "forged is refused",
    "a forged token is valid",
    new WrittenHistory().entry(1, "forged", { token: "a9" }).verdict(1_000, valid, { token: "a9" }),
  ],
  [
    "an outage is never invalid",
    "a good token has a bad signature",
    new WrittenHistory().login().verdict(1_000, refused("bad_signature")),
  ],
  [
    "an outage is never invalid",
    "a good token is revoked without a reason",
    new WrittenHistory().login().verdict(1_000, refused("revoked")).logout(2_000),
  ],
  [
    "known statuses",
    "a login is answered with 500",
    new WrittenHistory().call(1_000, "login", { user: "ann" }, { status: 500 }),
  ],
  [
    "recovery",
    "a login fails after the last fault",
    new WrittenHistory().call(plan.faultyMs + 200_000, "login", { user: "ann" }, { status: 503 }),
  ],
  [
    "recovery",
    "a guard cannot decide after the last fault",
    new WrittenHistory()
      .login()
      .verdict(plan.faultyMs + 200_000, { status: "unavailable", cause: "keys_unavailable" }),
  ],
  [
    "recovery",
    "a view is too old at the end",
    new WrittenHistory().entry(plan.faultyMs, "guard status", { guard: "service-1", ageMs: 61_000 }),
  ],
  [
    "recovery",
    "a breaker is open at the end",
    new WrittenHistory().entry(plan.faultyMs, "guard status", {
      guard: "guard-1",
      ageMs: 0,
      breaker: "open",
    }),
  ],
  [
    "no uncaught error",
    "a callback throws",
    new WrittenHistory().entry(5, "uncaught", { error: "Error: oh" }),
  ],
];

for (const [check, what, written] of wrong) {
  test(`the check "${check}" notices that ${what}`, () => assert.deepEqual(written.failures(), [check]));
}

test("the checks allow what a guard with a wrong clock cannot know", () => {
  const behind = { clockErrorMs: -60_000, startErrorMs: -60_000 };
  assert.deepEqual(new WrittenHistory().login().verdict(340_000, valid, behind).failures(), []);
  assert.deepEqual(new WrittenHistory().login().verdict(340_000, valid).failures(), ["expired is refused"]);
  const late = { session: "s", refresh: "r1", access: "a1", expiresAt: -3_000_000 };
  const byWrongClock = new WrittenHistory().call(0, "login", { user: "ann" }, { status: 200, ...late });
  assert.deepEqual(byWrongClock.verdict(20_000, valid).failures(), []);
  const step = { number: 1, fault: "clock step", target: "guard", ms: 3_600_000 };
  const stepped = () => new WrittenHistory().login().entry(1_000, "fault", step);
  assert.deepEqual(stepped().verdict(70_000, refused("expired")).failures(), []);
  assert.deepEqual(stepped().verdict(30_000, refused("expired")).failures(), ["an outage is never invalid"]);
});

test("a suspend counts for a clock that was set back only when the guard has not believed it before", () => {
  const suspended = (decisions: readonly number[]) => {
    const written = new WrittenHistory()
      .login()
      .entry(10_000, "fault", { number: 1, fault: "suspend", target: "guard", durationMs: 20_000 })
      .entry(30_000, "fault ended", { number: 1, fault: "suspend" });
    for (const at of decisions) written.verdict(at, valid);
    return written
      .entry(200_000, "fault", { number: 2, fault: "clock step", target: "guard", ms: -60_000 })
      .verdict(320_000, valid, { clockErrorMs: -60_000 })
      .entry(400_000, "fault ended", { number: 2, fault: "clock step" })
      .failures();
  };
  assert.deepEqual(suspended([]), []);
  assert.deepEqual(suspended([150_000, 190_000]), [], "noticed too late");
  assert.deepEqual(suspended([31_000, 100_000]), ["expired is refused"]);
});

test("a guard may believe a clock that is ahead at once when it has believed the same time before, and no other", () => {
  const steps = (againMs: number, firstEnd: number) =>
    new WrittenHistory()
      .login()
      .entry(1_000, "fault", { number: 1, fault: "clock step", target: "guard", ms: 3_600_000 })
      .entry(firstEnd, "fault ended", { number: 1, fault: "clock step" })
      .entry(100_000, "fault", { number: 2, fault: "clock step", target: "guard", ms: againMs })
      .verdict(101_000, refused("expired"), { clockErrorMs: againMs })
      .entry(110_000, "fault ended", { number: 2, fault: "clock step" });
  assert.deepEqual(steps(3_600_000, 90_000).failures(), []);
  assert.deepEqual(steps(7_200_000, 90_000).failures(), ["an outage is never invalid"]);
  assert.deepEqual(steps(3_600_000, 30_000).failures(), ["an outage is never invalid"], "never believed");
});

/** The guard of the verdicts reads the log of services of an older version. */
const guardOfOlder = {
  guards: [{ ...plannedGuard, hasAuthority: false }],
  olderServices: ["service-1"],
  upgrades: [],
};

test("a cut-off without a number may refuse the first token of a session that lives on", () => {
  const second = { token: "a2" };
  const written = new WrittenHistory()
    .call(0, "end subject", { user: "ann" }, { status: 204 })
    .login()
    .verdict(2_000, refused("revoked"))
    .refresh(60_000, "owner", "r1", {
      status: 200,
      session: "s",
      refresh: "r2",
      access: "a2",
      expiresAt: 360_000,
    })
    .verdict(61_000, valid, second);
  assert.deepEqual(written.failures(guardOfOlder), []);
  assert.ok(written.failures().includes("revoked stays revoked"));
  const inService = { ...guardOfOlder, guards: [] };
  assert.ok(written.failures(inService).includes("revoked stays revoked"), "it reads the log of the store");
  written.verdict(70_000, refused("revoked"), second).verdict(71_000, valid, second);
  assert.ok(written.failures(guardOfOlder).includes("revoked stays revoked"));
});

test("a cut-off that was not confirmed reaches no token that was issued more than a minute later", () => {
  const issuedAt = (at: number) =>
    new WrittenHistory()
      .call(0, "end subject", { user: "bob" }, null)
      .call(
        at,
        "login",
        { user: "bob" },
        { status: 200, session: "b", access: "b1", expiresAt: at + 300_000 },
      )
      .verdict(at + 1_000, refused("revoked"), { token: "b1" })
      .verdict(at + 2_000, valid, { token: "b1" });
  assert.deepEqual(issuedAt(50_000).failures(guardOfOlder), []);
  assert.deepEqual(issuedAt(70_000).failures(guardOfOlder), ["revoked stays revoked"]);
});

test("an authority whose clock is ahead may refuse a token that has expired by that clock, and no other", () => {
  const withAuthority = { guards: [{ ...plannedGuard, hasAuthority: true }], services: ["service-1"] };
  const step = (ms: number) => ({ number: 1, fault: "clock step", target: "service-1", ms });
  const refusedAt = (at: number, ms: number) =>
    new WrittenHistory()
      .login()
      .entry(100_000, "fault", step(ms))
      .entry(110_000, "fault ended", { number: 1, fault: "clock step" })
      .verdict(at, refused("revoked"));
  const wrongly = ["an outage is never invalid"];
  assert.deepEqual(refusedAt(105_000, 3_600_000).failures(withAuthority), []);
  assert.deepEqual(refusedAt(200_000, 3_600_000).failures(withAuthority), [], "the guard remembers it");
  assert.deepEqual(refusedAt(90_000, 3_600_000).failures(withAuthority), wrongly, "before the step");
  assert.deepEqual(refusedAt(105_000, 60_000).failures(withAuthority), wrongly, "the token was good by it");
  assert.deepEqual(refusedAt(290_000, 150_000).failures(withAuthority), wrongly, "at each question");
  const without = { ...withAuthority, guards: [{ ...plannedGuard, hasAuthority: false }] };
  assert.deepEqual(refusedAt(105_000, 3_600_000).failures(without), wrongly);
});

test("a new token may be refused for doubt about the clock of its own server only", () => {
  const at = plan.faultyMs + 200_000;
  const stepOf = (target: string) =>
    new WrittenHistory()
      .entry(1_000, "fault", { number: 1, fault: "clock step", target, ms: 3_600_000 })
      .entry(100_000, "fault ended", { number: 1, fault: "clock step" })
      .entry(at - 1_000, "socket presented", { guard: "guard", life: 1, socket: "s1", token: "a1" })
      .call(
        at,
        "renew",
        { socket: "s1", token: "a1", isForeign: false },
        { status: "temporarily_unavailable" },
      );
  assert.deepEqual(stepOf("guard").failures(), []);
  assert.deepEqual(stepOf("service-1").failures(), ["recovery"]);
});

test("a guard without a key calls a token inactive only when its authority may know that the session has ended", () => {
  const withAuthority = { guards: [{ ...plannedGuard, hasAuthority: true }] };
  const live = () => new WrittenHistory().login().verdict(1_000, refused("inactive"));
  const ended = () => new WrittenHistory().login().logout(1_000).verdict(2_000, refused("inactive"));
  assert.deepEqual(ended().failures(withAuthority), []);
  assert.deepEqual(ended().failures({ guards: [plannedGuard] }), ["an outage is never invalid"]);
  assert.deepEqual(live().failures(withAuthority), ["an outage is never invalid"]);
});
