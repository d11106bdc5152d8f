import assert from "node:assert/strict";
import { test } from "node:test";
import { runChecks } from "../../sim/checks/run-checks.ts";
import { drawPlan } from "../../sim/plan.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";

const drawn = drawPlan(1, 10);
const plan = { ...drawn, guards: [], network: { drop: 0, duplicate: 0, slow: 0 } };

/** What people and administrators did with passwords, written by hand. Times are milliseconds since the beginning. */
class WrittenUsers {
  readonly #history: HistoryEntry[] = [];
  #calls = 0;

  /** `ann` is added with the password p1. */
  constructor() {
    this.call(0, "add user", { to: "p1" }, 204);
  }

  /** A call that takes 100 ms. A status of `null` means that no answer came. */
  call(at: number, operation: string, call: object, status: number | null, more: object = {}): this {
    const id = ++this.#calls;
    const entry = (time: number, kind: string, data: Readonly<Record<string, unknown>>) =>
      this.#history.push({ at: time, process: "somewhere", kind, data });
    entry(at, "call", { id, operation, user: "ann", ...call });
    if (status !== null) entry(at + 100, "answer", { id, status, ...more });
    return this;
  }

  login(at: number, password: string, status: number, session = "s1"): this {
    const tokens = { session, refresh: `r ${session}`, access: `a ${session}`, expiresAt: at + 300_000 };
    return this.call(at, "password login", { password }, status, status === 200 ? tokens : {});
  }

  change(at: number, from: string, to: string, status: number | null, session = "s2"): this {
    const tokens = { session, refresh: `r ${session}`, access: `a ${session}`, expiresAt: at + 300_000 };
    return this.call(at, "change password", { from, to }, status, status === 200 ? tokens : {});
  }

  refresh(at: number, session: string): this {
    const call = { session, by: "owner", presented: `r ${session}` };
    return this.call(at, "refresh", call, 200, { refresh: `r2 ${session}` });
  }

  /** The owner is refused. */
  refuse(at: number, session: string): this {
    const call = { session, by: "owner", presented: `r ${session}` };
    return this.call(at, "refresh", call, 400);
  }

  /** The names of the checks that fail, each once. */
  failures(): string[] {
    const sorted = this.#history.toSorted((one, other) => one.at - other.at);
    const violations = runChecks({ plan, history: sorted, startedAt: 0 });
    return [...new Set(violations.map(({ check }) => check))];
  }
}

const written = () => new WrittenUsers();

test("ordinary users violate nothing", () => {
  const ordinary = written()
    .login(1_000, "p1", 200)
    .change(2_000, "p1", "p2", 200)
    .refresh(3_000, "s2")
    .login(4_000, "p1", 401)
    .call(5_000, "disable user", {}, 204)
    .login(6_000, "p2", 401)
    .call(7_000, "enable user", {}, 204)
    .call(8_000, "set password", { to: "p3" }, 204)
    .login(9_000, "p2", 401)
    .login(10_000, "p3", 200, "s3")
    .refresh(11_000, "s3");
  assert.deepEqual(ordinary.failures(), []);
  const undecided = written().change(1_000, "p1", "p2", null).login(2_000, "p2", 200).login(3_000, "p1", 401);
  assert.deepEqual(undecided.failures(), [], "a change without an answer may have happened");
});

const wrong: readonly [check: string, what: string, history: WrittenUsers][] = [
  [
    "a password decides",
    "an old password is accepted",
    written().login(900, "p1", 200).change(2_000, "p1", "p2", 200).login(3_000, "p1", 200, "s3"),
  ],
  [
    "a password decides",
    "a password that an administrator has replaced is accepted",
    written().call(1_000, "set password", { to: "p2" }, 204).login(3_000, "p1", 200),
  ],
  ["a password decides", "the right password is refused", written().login(1_000, "p1", 401)],
  [
    "a password decides",
    "a disabled user logs in",
    written().call(1_000, "disable user", {}, 204).login(2_000, "p1", 200),
  ],
  [
    "a password decides",
    "one password is replaced twice",
    written().change(1_000, "p1", "p2", 200).change(1_050, "p1", "p3", 200, "s3"),
  ],
  [
    "intruders get nothing",
    "a session survives a new password",
    written().login(900, "p1", 200).change(2_000, "p1", "p2", 200).refresh(3_000, "s1"),
  ],
  [
    "intruders get nothing",
    "a login with the old password at the same time survives the new one",
    written().change(2_000, "p1", "p2", 200).login(2_050, "p1", 200).refresh(3_000, "s1"),
  ],
  [
    "intruders get nothing",
    "the loser of two changes keeps the session that it got",
    written().change(1_000, "p1", "p2", 200).change(1_050, "p2", "p3", 200, "s3").refresh(3_000, "s2"),
  ],
  [
    "intruders get nothing",
    "a session of a disabled user is refreshed",
    written().login(900, "p1", 200).call(2_000, "disable user", {}, 204).refresh(3_000, "s1"),
  ],
];

for (const [check, what, history] of wrong) {
  test(`the check "${check}" notices that ${what}`, () => assert.deepEqual(history.failures(), [check]));
}

test("the checks notice that the loser of two changes of one password ends the session of the winner", () => {
  const raced = (loserStatus: number | null) =>
    written()
      .login(1_000, "p1", 200)
      .change(2_000, "p1", "p2", 200, "winner")
      .change(2_010, "p1", "p3", loserStatus, "loser")
      .refuse(3_000, "winner");
  for (const status of [401, 503, null])
    assert.deepEqual(raced(status).failures(), ["nobody is logged out"], `the loser got ${status}`);
  const other = written()
    .login(1_000, "p1", 200)
    .change(2_000, "p1", "p2", 200, "first")
    .change(2_010, "p2", "p3", null)
    .refuse(3_000, "first");
  assert.deepEqual(other.failures(), [], "a change of the new password may have ended the session");
});

test("a password that was set while its user was disabled logs in only when the user is enabled again", () => {
  const set = () =>
    written().call(1_000, "disable user", {}, 204).call(2_000, "set password", { to: "p2" }, 204);
  assert.deepEqual(set().login(3_000, "p2", 401).failures(), []);
  assert.deepEqual(set().login(3_000, "p2", 200).failures(), ["a password decides"]);
  const enabled = () => set().call(3_000, "enable user", {}, 204);
  assert.deepEqual(enabled().login(3_050, "p2", 401).failures(), []);
  assert.deepEqual(enabled().login(4_000, "p2", 401).failures(), ["a password decides"]);
});

test("the checks notice that a change gives a session although an administrator has set a password after it", () => {
  const both = (at: number, to: string) =>
    written()
      .login(1_000, "p1", 200)
      .change(2_000, "p1", "p2", 200)
      .call(at, "set password", { to }, 204)
      .refresh(3_000, "s2");
  assert.deepEqual(both(2_050, "p3").failures(), ["intruders get nothing"]);
  // The change replaced the password of the administrator, so it came later.
  assert.deepEqual(both(1_950, "p1").failures(), []);
});
