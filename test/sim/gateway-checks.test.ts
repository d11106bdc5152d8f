import assert from "node:assert/strict";
import { test } from "node:test";
import { runChecks } from "../../sim/checks/run-checks.ts";
import { drawPlan } from "../../sim/plan.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";

const drawn = drawPlan(1, 10);
const plan = {
  ...drawn,
  guards: [],
  lifetimes: { ...drawn.lifetimes, accessTokenTtlMs: 300_000 },
  network: { drop: 0.01, duplicate: 0, slow: 0 },
};
const boundMs = 60_000;

/** The answers of a gateway, written by hand. Times are milliseconds since the beginning. */
class WrittenAnswers {
  readonly #history: HistoryEntry[] = [];
  #calls = 0;

  /** The user `ann` logs in and gets the access token a1, which expires after 300 s. */
  constructor() {
    const tokens = { session: "s", refresh: "r1", access: "a1", expiresAt: 300_000 };
    this.#call(0, "login", { user: "ann" }, { status: 200, ...tokens });
    this.#history.push({ at: 1, process: "proxy", kind: "forged", data: { token: "a9" } });
  }

  #call(at: number, operation: string, call: object, answer: object): this {
    const id = ++this.#calls;
    this.#history.push({ at, process: "somewhere", kind: "call", data: { id, operation, ...call } });
    this.#history.push({ at: at + 10, process: "somewhere", kind: "answer", data: { id, ...answer } });
    return this;
  }

  verify(at: number, path: string, token: string | null, status: number, more: object = {}): this {
    const guard = { guard: "service-1", life: 1, clockErrorMs: 0, startErrorMs: 0, isSpoofed: false };
    const subject = status === 200 ? (path === "/public/page" ? "" : "ann") : null;
    const { named = subject, ...others } = more as { named?: string };
    const bound = { maxRevocationAgeMs: path === "/fresh/1" ? 10_000 : boundMs };
    return this.#call(
      at,
      "verify",
      { ...guard, ...bound, path, token, ...others },
      { status, subject: named },
    );
  }

  logout(at: number): this {
    return this.#call(at, "logout", { user: "ann", session: "s" }, { status: 204 });
  }

  /** The messages of the violations. */
  failures(): string[] {
    const violations = runChecks({ plan, history: this.#history, startedAt: 0 });
    return violations.map(({ check, message }) => `${check}: ${message}`);
  }
}

const written = () => new WrittenAnswers();

test("an ordinary gateway violates nothing", () => {
  const ordinary = written()
    .verify(1_000, "/public/page", null, 200)
    .verify(1_000, "/public/page", "a9", 200)
    .verify(1_000, "/orders/1", "a1", 200)
    .verify(1_000, "/orders/1", "a1", 503)
    .verify(1_000, "/orders/1", null, 401)
    .verify(1_000, "/orders/1", "a9", 401)
    .verify(1_000, "/orders/1", "a1", 400, { isSpoofed: true })
    .verify(1_000, "/admin/1", "a1", 403)
    .verify(1_000, "/nowhere", "a1", 403)
    .verify(306_000, "/orders/1", "a1", 401);
  assert.deepEqual(ordinary.failures(), []);
  const revoked = written()
    .logout(2_000)
    .verify(11_000, "/fresh/1", "a1", 200)
    .verify(30_000, "/orders/1", "a1", 200)
    .verify(30_000, "/fresh/1", "a1", 401);
  assert.deepEqual(revoked.failures(), []);
});

const wrong: readonly [what: string, message: RegExp, written: WrittenAnswers][] = [
  [
    "a client names its identity",
    /a client named its identity and got 200/,
    written().verify(1_000, "/orders/1", "a1", 200, { isSpoofed: true }),
  ],
  [
    "a public page has an identity",
    /a public page was answered with 200 for "root"/,
    written().verify(1_000, "/public/page", null, 200, { named: "root" }),
  ],
  [
    "another user is named",
    /the token of ann passed as "bob"/,
    written().verify(1_000, "/orders/1", "a1", 200, { named: "bob" }),
  ],
  [
    "a scope is not required",
    /\/admin\/1 was answered with 200/,
    written().verify(1_000, "/admin/1", "a1", 200),
  ],
  [
    "a path has no rule",
    /without a rule was answered with 200/,
    written().verify(1_000, "/nowhere", "a1", 200),
  ],
  [
    "a token is missing",
    /without a token was answered with 200/,
    written().verify(1_000, "/orders/1", null, 200),
  ],
  [
    "a forged token passes",
    /a forged token was answered with 200/,
    written().verify(1_000, "/orders/1", "a9", 200),
  ],
  [
    "a good token is wrong",
    /a good token was refused with 401/,
    written().verify(1_000, "/orders/1", "a1", 401),
  ],
  ["an expired token passes", /after its expiry/, written().verify(310_000, "/orders/1", "a1", 200)],
  [
    "a rule's own bound is not kept",
    /after the end of its session and the bound/,
    written().logout(2_000).verify(20_000, "/fresh/1", "a1", 200),
  ],
];

for (const [what, message, history] of wrong) {
  test(`the check "the gateway decides" notices that ${what}`, () => {
    const [first = "", ...others] = history.failures();
    assert.match(first, message);
    assert.deepEqual(others, []);
  });
}
