import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocketClients, type WebSocketReport } from "../../src/drill/websocket-clients.ts";
import { Phase } from "../../src/drill/phase.ts";
import { formatPhase } from "../../src/drill/report.ts";
import { runChecks } from "../../src/drill/checks.ts";
import type { Sample } from "../../src/drill/traffic.ts";
import type { RevokedToken } from "../../src/drill/environment.ts";

const names = ["steady", "down", "restored", "frozen", "restored", "flapping", "restored", "slow"];

/** The samples of a drill without a failure. `change` may add samples to each phase. */
function phases(change: (phase: Phase, add: (sample: Partial<Sample>) => void) => void = () => {}): Phase[] {
  const log: RevokedToken = { token: "l", by: "log", at: 0 };
  const provider: RevokedToken = { token: "p", by: "provider", at: 0 };
  return names.map((name, index) => {
    const breaks = ["down", "frozen", "flapping"].includes(name);
    const phase = new Phase(name, breaks);
    const add = (sample: Partial<Sample>) => {
      const usual = {
        at: phase.startedAt,
        outcome: "ok",
        tookMs: 2,
        decisionMs: 0.2,
        softTimeoutMs: 80,
      } as const;
      phase.add({ ...usual, hasRetryAfter: false, revoked: null, ...sample });
    };
    if (breaks) {
      add({ outcome: "degraded", decisionMs: 81, at: phase.startedAt + 1 });
      add({ outcome: "degraded", softTimeoutMs: 0, at: phase.startedAt + 2000 });
    }
    if (index >= 1) add({ outcome: "refused", revoked: { ...log, at: phase.startedAt } });
    if (index >= 4) add({ outcome: "refused", revoked: provider, at: phase.startedAt + 500 });
    add({ at: phase.startedAt + 3000 });
    change(phase, add);
    return phase;
  });
}

const failed = (told: Phase[], isLocal = true) =>
  runChecks(told, new WebSocketClients(), isLocal)
    .filter(({ passed }) => !passed)
    .map(({ expectation }) => expectation);

test("every check passes for a drill without a failure", () => {
  assert.deepEqual(failed(phases()), []);
  assert.equal(runChecks(phases(), new WebSocketClients(), true).length, 10);
  assert.equal(runChecks(phases(), new WebSocketClients(), false).length, 3);
});

test("a single slow answer long after a recovery fails no check", () => {
  const told = phases((phase, add) => {
    if (phase.name !== "restored") return;
    add({ outcome: "degraded", at: phase.startedAt + 20_000 });
    add({ at: phase.startedAt + 60_000 });
  });
  assert.deepEqual(failed(told), []);
});

test("a revoked token that was sent before a refusal arrived, and accepted, fails no check", () => {
  const told = phases((phase, add) => {
    if (phase.name !== "down") return;
    const revoked: RevokedToken = { token: "l", by: "log", at: phase.startedAt };
    add({ outcome: "refused", revoked, at: phase.startedAt, tookMs: 50 });
    add({ outcome: "ok", revoked, at: phase.startedAt + 1, tookMs: 2 });
  });
  // Without the usual refusal of this token, which arrives before these.
  const [, down] = told as [Phase, Phase];
  const only = new Phase("down", true);
  for (const sample of down.samples)
    if (sample.revoked === null || sample.tookMs === 50 || sample.outcome === "ok") only.add(sample);
  told[1] = only;
  assert.deepEqual(failed(told), []);
});

const failures: [what: string, change: Parameters<typeof phases>[0], promise: RegExp][] = [
  [
    "a good token that got a 401",
    (p, add) => p.name === "flapping" && add({ outcome: "refused" }),
    /no good token/,
  ],
  [
    "a 503 without Retry-After",
    (p, add) => p.name === "down" && add({ outcome: "unavailable" }),
    /every 503/,
  ],
  ["a good token that got a 503", (p, add) => p.name === "down" && add({ outcome: "unavailable" }), /served/],
  ["a lost answer", (p, add) => p.name === "frozen" && add({ outcome: "failed" }), /served throughout/],
  [
    "a missing recovery",
    (p, add) => p.name === "restored" && add({ outcome: "degraded", at: p.startedAt + 3000 }),
    /recovers automatically/,
  ],
  [
    "a recovery that took too long, in a phase that was longer",
    (p, add) => {
      if (p.name !== "restored") return;
      for (let ms = 0; ms <= 16_000; ms += 250) add({ outcome: "degraded", at: p.startedAt + ms });
      add({ at: p.startedAt + 60_000 });
    },
    /recovers automatically/,
  ],
  [
    "a first fallback that took too long",
    (p, add) => p.name === "frozen" && add({ outcome: "degraded", decisionMs: 101 }),
    /first decision/,
  ],
  [
    "later decisions that waited",
    (p, add) => {
      for (let i = 0; i < 2; i++)
        add({ outcome: "degraded", softTimeoutMs: 0, decisionMs: 80, at: p.startedAt + 1 });
    },
    /later decisions/,
  ],
  [
    "a slow authority that the guard did not wait for",
    (p, add) => p.name === "slow" && add({ outcome: "degraded" }),
    /slow/,
  ],
  [
    "a revoked token that came back",
    (p, add) => p.name === "slow" && add({ revoked: { token: "l", by: "log", at: 0 }, at: p.startedAt + 9 }),
    /stays refused/,
  ],
];
for (const [what, change, promise] of failures) {
  test(`a check fails for ${what}`, () => {
    assert.ok(failed(phases(change)).some((one) => promise.test(one)));
  });
}

test("a check fails for revoked tokens that were never refused, or refused too late", () => {
  const without = phases().map((phase) => {
    const other = new Phase(phase.name, phase.isOutage);
    for (const sample of phase.good) other.add(sample);
    return other;
  });
  assert.equal(failed(without).filter((promise) => promise.startsWith("a token revoked")).length, 2);
  const late = phases((phase) => {
    for (const sample of phase.samples) {
      if (sample.revoked?.by === "log") Object.assign(sample.revoked, { at: sample.at - 1001 });
    }
  });
  assert.ok(failed(late).some((promise) => promise.includes("in the log")));
});

/** A thousand connections. Those of the revoked tokens were closed. */
function connections(told: Phase[], change: Partial<WebSocketReport> = {}): WebSocketReport {
  const log = { token: "l", by: "log", at: told[1]?.startedAt ?? 0 } as const;
  const provider = { token: "p", by: "provider", at: told[3]?.startedAt ?? 0 } as const;
  const ended = [
    { token: "l", code: 4503, at: log.at + 40 },
    { token: "p", code: 4503, at: (told[4]?.startedAt ?? 0) + 3000 },
  ];
  return {
    opened: 1000,
    sent: 500,
    answered: 500,
    revoked: [log, provider],
    closed: ended,
    dropped: [],
    ...change,
  };
}

test("every check passes for a drill without a failure on WebSocket connections", () => {
  const told = phases();
  const judged = runChecks(told, connections(told), true);
  assert.equal(judged.length, 14);
  assert.deepEqual(
    judged.filter(({ passed }) => !passed),
    [],
  );
});

const webSocketFailures: [
  what: string,
  change: (told: Phase[]) => Partial<WebSocketReport>,
  promise: RegExp,
][] = [
  [
    "a connection that was dropped",
    () => ({ dropped: [{ token: "g", code: 1006, at: 0 }] }),
    /no connection is dropped/,
  ],
  ["a message that was lost", () => ({ answered: 499 }), /every message/],
  ["a revoked token whose connections stay open", () => ({ closed: [] }), /in the log are closed/],
  [
    "connections that were closed too late",
    (told) => ({ closed: [{ token: "l", code: 4503, at: (told[1]?.startedAt ?? 0) + 1001 }] }),
    /in the log are closed/,
  ],
  [
    "connections that were closed with another code",
    (told) => ({ closed: [{ token: "p", code: 4453, at: told[4]?.startedAt ?? 0 }] }),
    /at the provider are closed/,
  ],
];
for (const [what, change, promise] of webSocketFailures) {
  test(`a check fails for ${what}`, () => {
    const told = phases();
    const judged = runChecks(told, connections(told, change(told)), true);
    assert.ok(judged.some((one) => !one.passed && promise.test(one.expectation)));
  });
}

test("the row of a phase shows the worst outcome of a good token in each second", () => {
  const phase = new Phase("down", true);
  const outcomes = ["ok", "degraded", "unavailable", "refused", "failed"] as const;
  for (const [second, outcome] of outcomes.entries()) {
    const usual = {
      tookMs: 3,
      decisionMs: null,
      softTimeoutMs: 0,
      hasRetryAfter: true,
      revoked: null,
    } as const;
    phase.add({ ...usual, at: phase.startedAt + 1000 * second + 1, outcome });
    phase.add({ ...usual, at: phase.startedAt + 1000 * second + 2, outcome: "ok" });
  }
  assert.match(formatPhase(phase), /^down +10 +6 +1 +1 +1 +1 +3\.0 +3\.0  \.d54x$/);
});
