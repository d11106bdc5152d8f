import assert from "node:assert/strict";
import { test } from "node:test";
import { runChecks } from "../../sim/checks/run-checks.ts";
import { drawPlan } from "../../sim/plan.ts";
import type { HistoryEntry } from "../../src/testing/simulation/index.ts";

const drawn = drawPlan(1, 10);
const plan = {
  ...drawn,
  guards: [
    {
      ...(drawn.guards[0] as (typeof drawn.guards)[number]),
      name: "guard",
      degraded: "deny" as const,
      hasAuthority: true,
    },
  ],
  lifetimes: { ...drawn.lifetimes, accessTokenTtlMs: 300_000 },
  network: { drop: 0, duplicate: 0, slow: 0 },
  sockets: { ...drawn.sockets, maxPerSubject: 1, firstTokenMs: 10_000, unconfirmedMs: 20_000 },
};
const boundMs = 60_000;

/** The history of connections with one guard, written by hand. Times are milliseconds since its beginning. */
class WrittenConnections {
  readonly #history: HistoryEntry[] = [];
  readonly #tokens = new Map<string, string>();
  #calls = 0;

  /** A user logs in and gets the access token a1, which expires after 300 s. */
  constructor() {
    const tokens = { session: "s", refresh: "r1", access: "a1", expiresAt: 300_000 };
    this.#call(0, "login", { user: "ann" }, { status: 200, ...tokens });
  }

  entry(at: number, kind: string, data: Readonly<Record<string, unknown>>): this {
    this.#history.push({ at, process: "guard", kind, data });
    return this;
  }

  #call(at: number, operation: string, call: object, answer: object): this {
    const id = ++this.#calls;
    return this.entry(at, "call", { id, operation, ...call }).entry(at, "answer", { id, ...answer });
  }

  #facts(socket: string): Readonly<Record<string, unknown>> {
    const guard = { guard: "guard", life: 1, maxRevocationAgeMs: boundMs, clockErrorMs: 0, startErrorMs: 0 };
    return { ...guard, socket, token: this.#tokens.get(socket) ?? null, waitingBytes: 0 };
  }

  token(at: number, token = "a1", socket = "s1"): this {
    this.#tokens.set(socket, token);
    return this.entry(at, "socket token", this.#facts(socket));
  }

  message(at: number, number: number, socket = "s1"): this {
    return this.#call(at, "message", { ...this.#facts(socket), number }, { status: "valid" });
  }

  notice(at: number): this {
    return this.entry(at, "socket notice", this.#facts("s1"));
  }

  close(at: number, status: string, reason: string, socket = "s1", more: object = {}): this {
    return this.#call(at, "close", { ...this.#facts(socket), ...more }, { status, reason });
  }

  gone(at: number, more: object = {}): this {
    return this.entry(at, "socket gone", { ...this.#facts("s1"), ...more });
  }

  logout(at: number): this {
    return this.#call(at, "logout", { user: "ann", session: "s" }, { status: 204 });
  }

  refresh(at: number): this {
    const tokens = { session: "s", refresh: "r2", access: "a2", expiresAt: at + 300_000 };
    const call = { user: "ann", session: "s", by: "owner", presented: "r1" };
    return this.#call(at, "refresh", call, { status: 200, ...tokens });
  }

  renew(at: number, isForeign: boolean, status: string): this {
    return this.#call(at, "renew", { socket: "s1", token: "a2", isForeign }, { status });
  }

  limited(at: number): this {
    return this.#call(at, "verdict", { ...this.#facts("s1"), token: "a1" }, { status: "limited" });
  }

  fault(at: number, until: number, fault: string, target: string | null, more: object = {}): this {
    return this.entry(at, "fault", { number: at, fault, target, ...more }).entry(until, "fault ended", {
      number: at,
      fault,
      target,
    });
  }

  /** The names of the checks that fail, each once. */
  failures(): string[] {
    const violations = runChecks({ plan, history: this.#history, startedAt: 0 });
    return [...new Set(violations.map(({ check }) => check))];
  }
}

const connected = () => new WrittenConnections().token(1_000);

test("a token may be announced, presented again in the same millisecond and announced again", () => {
  const presented = connected().notice(240_000).token(240_000).notice(290_000);
  assert.deepEqual(presented.gone(291_000).failures(), []);
  const twice = connected().token(240_000).notice(240_000).notice(290_000);
  assert.deepEqual(twice.gone(291_000).failures(), ["expiry is announced"]);
});

test("ordinary connections violate nothing", () => {
  const renewed = connected()
    .message(2_000, 1)
    .notice(200_000)
    .refresh(201_000)
    .renew(202_000, false, "ok")
    .token(202_000, "a2")
    .message(310_000, 2)
    .logout(320_000)
    .close(321_000, "invalid", "revoked");
  assert.deepEqual(renewed.failures(), []);
  assert.deepEqual(connected().notice(240_000).close(305_500, "invalid", "expired").failures(), []);
  const foreign = connected().renew(2_000, true, "closed").close(2_000, "foreign", "other_subject");
  assert.deepEqual(foreign.failures(), []);
});

const wrong: readonly [check: string, what: string, written: WrittenConnections][] = [
  ["a connection ends", "an idle connection outlives its token", connected().gone(310_000)],
  ["a connection ends", "an idle connection outlives its session", connected().logout(2_000).gone(70_000)],
  [
    "a connection ends",
    "a connection without a token stays open",
    new WrittenConnections().entry(1_000, "socket expected", { socket: "s1", guard: "guard" }).gone(20_000),
  ],
  [
    "a connection ends",
    "an open connection outlives its session until the end of the run",
    connected().logout(2_000).entry(90_000, "sockets", {
      guard: "guard",
      maxRevocationAgeMs: boundMs,
      counted: 1,
      open: 1,
      names: "s1",
    }),
  ],
  ["expired is refused", "a message is accepted after the expiry", connected().message(305_200, 1)],
  [
    "revoked stays revoked",
    "a message is accepted after another connection was closed for the revocation",
    new WrittenConnections()
      .token(1_000, "a1", "s2")
      .logout(2_000)
      .close(3_000, "invalid", "revoked", "s2")
      .token(3_000)
      .message(4_000, 1),
  ],
  [
    "closed is closed",
    "a message is accepted after the close",
    connected().close(2_000, "foreign", "other_subject").message(2_100, 1),
  ],
  ["messages keep their order", "a message is lost", connected().message(2_000, 1).message(2_100, 3)],
  ["messages keep their order", "messages change places", connected().message(2_000, 2).message(2_100, 1)],
  [
    "expiry is announced",
    "a token expires without a notice",
    connected().close(305_500, "invalid", "expired"),
  ],
  [
    "expiry is announced",
    "a token is announced twice",
    connected().notice(240_000).notice(241_000).gone(242_000),
  ],
  [
    "an outage is never invalid",
    "a connection is closed as expired although its new token lives",
    connected()
      .notice(240_000)
      .refresh(241_000)
      .token(242_000, "a2")
      .notice(290_000)
      .close(305_500, "invalid", "expired"),
  ],
  [
    "an outage spares connections",
    "a connection is closed soon after the authority has failed",
    connected().fault(2_000, 60_000, "authority fails", null).close(10_000, "unavailable", "try_later"),
  ],
  [
    "an outage spares connections",
    "a connection is closed without a fault",
    connected().close(10_000, "unavailable", "try_later"),
  ],
  [
    "an outage spares connections",
    "another fault was over long before the outage",
    connected()
      .fault(2_000, 3_000, "isolation", "service-1")
      .fault(90_000, 120_000, "authority fails", null)
      .close(100_000, "unavailable", "try_later"),
  ],
  [
    "an outage spares connections",
    "only another guard had a fault",
    connected().fault(2_000, 120_000, "isolation", "guard-2").close(100_000, "unavailable", "try_later"),
  ],
  [
    "an outage spares connections",
    "only a client had a fault",
    connected().fault(2_000, 120_000, "client offline", null).close(100_000, "unavailable", "try_later"),
  ],
  [
    "a connection keeps its user",
    "the token of another user is accepted",
    connected().renew(2_000, true, "ok"),
  ],
  ["limits hold", "a user has too many connections", connected().token(2_000, "a1", "s2")],
  ["limits hold", "a user is refused below the limit", connected().gone(2_000).limited(3_000)],
  ["limits hold", "too much waits on one connection", connected().gone(2_000, { waitingBytes: 400_000 })],
  [
    "connections are counted",
    "a closed connection is counted",
    new WrittenConnections().entry(9_000, "sockets", { guard: "guard", counted: 5, open: 1, names: "" }),
  ],
];

for (const [check, what, written] of wrong) {
  test(`the check "${check}" notices that ${what}`, () => assert.deepEqual(written.failures(), [check]));
}

test("the checks of connections allow what a server cannot do", () => {
  const frozen = connected()
    .logout(2_000)
    .fault(50_000, 80_000, "freeze", "guard", { durationMs: 30_000 })
    .close(90_000, "invalid", "revoked");
  assert.deepEqual(frozen.failures(), [], "a frozen server closes late");
  assert.deepEqual(connected().logout(2_000).failures(), [], "the sockets of a crashed server are unknown");
  const outage = connected()
    .fault(2_000, 60_000, "authority fails", null)
    .close(30_000, "unavailable", "try_later");
  assert.deepEqual(outage.failures(), [], "an unconfirmed connection ends after unconfirmedMs");
  const two = connected()
    .fault(2_000, 60_000, "isolation", "service-1")
    .fault(85_000, 120_000, "authority fails", null)
    .close(100_000, "unavailable", "try_later");
  assert.deepEqual(two.failures(), [], "the second fault began while the effects of the first one lasted");
  const stale = connected().close(10_000, "unavailable", "try_later", "s1", { viewAgeMs: boundMs + 1 });
  assert.deepEqual(stale.failures(), [], "a view of revocations that is too old spares no connection");
  const halted = connected().fault(2_000, 7_000, "freeze", "guard").close(7_100, "unavailable", "try_later");
  assert.deepEqual(halted.failures(), [], "a guard that stood still has an old view");
  assert.deepEqual(connected().limited(3_000).failures(), [], "a user has one connection already");
  const atOnce = connected().limited(3_000).gone(3_000);
  assert.deepEqual(atOnce.failures(), [], "the connection ended in the moment of the refusal");
});
