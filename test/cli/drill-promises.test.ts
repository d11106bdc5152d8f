import assert from "node:assert/strict";
import { test } from "node:test";
import { Live, type Told } from "../../src/cli/drill/live.ts";
import { Phase } from "../../src/cli/drill/phase.ts";
import { phaseLine } from "../../src/cli/drill/print.ts";
import { judge } from "../../src/cli/drill/promises.ts";
import type { Sample } from "../../src/cli/drill/traffic.ts";
import type { Revoked } from "../../src/cli/drill/world.ts";

const names = ["steady", "down", "restored", "frozen", "restored", "flapping", "restored", "slow"];

/** A drill in which all went well, told in samples; `change` spoils it. */
function phases(change: (phase: Phase, add: (sample: Partial<Sample>) => void) => void = () => {}): Phase[] {
  const log: Revoked = { token: "l", by: "log", at: 0 };
  const provider: Revoked = { token: "p", by: "provider", at: 0 };
  return names.map((name, index) => {
    const breaks = ["down", "frozen", "flapping"].includes(name);
    const phase = new Phase(name, breaks);
    const add = (sample: Partial<Sample>) => {
      const usual = { at: phase.began, outcome: "ok", tookMs: 2, decisionMs: 0.2, patienceMs: 80 } as const;
      phase.add({ ...usual, saysWhen: false, revoked: null, ...sample });
    };
    if (breaks) {
      add({ outcome: "degraded", decisionMs: 81, at: phase.began + 1 });
      add({ outcome: "degraded", patienceMs: 0, at: phase.began + 2000 });
    }
    if (index >= 1) add({ outcome: "refused", revoked: { ...log, at: phase.began } });
    if (index >= 4) add({ outcome: "refused", revoked: provider, at: phase.began + 500 });
    add({ at: phase.began + 3000 });
    change(phase, add);
    return phase;
  });
}

const broken = (told: Phase[], isOurs = true) =>
  judge(told, new Live(), isOurs)
    .filter(({ kept }) => !kept)
    .map(({ promise }) => promise);

test("a drill in which all went well breaks no promise", () => {
  assert.deepEqual(broken(phases()), []);
  assert.equal(judge(phases(), new Live(), true).length, 10);
  assert.equal(judge(phases(), new Live(), false).length, 3);
});

test("a single slow answer long after a recovery is no lack of it", () => {
  const told = phases((phase, add) => {
    if (phase.name !== "restored") return;
    add({ outcome: "degraded", at: phase.began + 20_000 });
    add({ at: phase.began + 60_000 });
  });
  assert.deepEqual(broken(told), []);
});

const spoilt: [what: string, change: Parameters<typeof phases>[0], promise: RegExp][] = [
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
    "no recovery",
    (p, add) => p.name === "restored" && add({ outcome: "degraded", at: p.began + 3000 }),
    /recovers by itself/,
  ],
  [
    "a recovery that took too long, in a phase that was longer",
    (p, add) => {
      if (p.name !== "restored") return;
      for (let ms = 0; ms <= 16_000; ms += 250) add({ outcome: "degraded", at: p.began + ms });
      add({ at: p.began + 60_000 });
    },
    /recovers by itself/,
  ],
  [
    "a first fallback that took too long",
    (p, add) => p.name === "frozen" && add({ outcome: "degraded", decisionMs: 101 }),
    /first decision/,
  ],
  [
    "later ones that waited",
    (p, add) => {
      for (let i = 0; i < 2; i++)
        add({ outcome: "degraded", patienceMs: 0, decisionMs: 80, at: p.began + 1 });
    },
    /later ones/,
  ],
  [
    "a slow authority that was not waited for",
    (p, add) => p.name === "slow" && add({ outcome: "degraded" }),
    /slow/,
  ],
  [
    "a revoked token that came back",
    (p, add) => p.name === "slow" && add({ revoked: { token: "l", by: "log", at: 0 }, at: p.began + 9 }),
    /stays refused/,
  ],
];
for (const [what, change, promise] of spoilt) {
  test(`a drill notices ${what}`, () => {
    assert.ok(broken(phases(change)).some((one) => promise.test(one)));
  });
}

test("a drill notices revoked tokens that were never refused, or late", () => {
  const without = phases().map((phase) => {
    const other = new Phase(phase.name, phase.breaks);
    for (const sample of phase.good) other.add(sample);
    return other;
  });
  assert.equal(broken(without).filter((promise) => promise.startsWith("a token revoked")).length, 2);
  const late = phases((phase) => {
    for (const sample of phase.samples) {
      if (sample.revoked?.by === "log") Object.assign(sample.revoked, { at: sample.at - 1001 });
    }
  });
  assert.ok(broken(late).some((promise) => promise.includes("in the log")));
});

/** A thousand connections of which those of the revoked tokens were closed. */
function connections(told: Phase[], change: Partial<Told> = {}): Told {
  const log = { token: "l", by: "log", at: told[1]?.began ?? 0 } as const;
  const provider = { token: "p", by: "provider", at: told[3]?.began ?? 0 } as const;
  const ended = [
    { token: "l", code: 4503, at: log.at + 40 },
    { token: "p", code: 4503, at: (told[4]?.began ?? 0) + 3000 },
  ];
  return { opened: 1000, sent: 500, answered: 500, revoked: [log, provider], ended, dropped: [], ...change };
}

test("a drill in which all went well on live connections, too, breaks no promise", () => {
  const told = phases();
  const judged = judge(told, connections(told), true);
  assert.equal(judged.length, 14);
  assert.deepEqual(
    judged.filter(({ kept }) => !kept),
    [],
  );
});

const spoiltLive: [what: string, change: (told: Phase[]) => Partial<Told>, promise: RegExp][] = [
  [
    "a connection that was dropped",
    () => ({ dropped: [{ token: "g", code: 1006, at: 0 }] }),
    /no connection is dropped/,
  ],
  ["a message that was lost", () => ({ answered: 499 }), /what is said/],
  ["a revoked token whose connections live on", () => ({ ended: [] }), /in the log are closed/],
  [
    "connections that were closed late",
    (told) => ({ ended: [{ token: "l", code: 4503, at: (told[1]?.began ?? 0) + 1001 }] }),
    /in the log are closed/,
  ],
  [
    "connections that were closed for another reason",
    (told) => ({ ended: [{ token: "p", code: 4453, at: told[4]?.began ?? 0 }] }),
    /at the provider are closed/,
  ],
];
for (const [what, change, promise] of spoiltLive) {
  test(`a drill notices ${what}`, () => {
    const told = phases();
    const judged = judge(told, connections(told, change(told)), true);
    assert.ok(judged.some((one) => !one.kept && promise.test(one.promise)));
  });
}

test("a line tells what users with good tokens saw, second by second the worst of it", () => {
  const phase = new Phase("down", true);
  const outcomes = ["ok", "degraded", "unavailable", "refused", "failed"] as const;
  for (const [second, outcome] of outcomes.entries()) {
    const usual = { tookMs: 3, decisionMs: null, patienceMs: 0, saysWhen: true, revoked: null } as const;
    phase.add({ ...usual, at: phase.began + 1000 * second + 1, outcome });
    phase.add({ ...usual, at: phase.began + 1000 * second + 2, outcome: "ok" });
  }
  assert.match(phaseLine(phase), /^down +10 +6 +1 +1 +1 +1 +3\.0 +3\.0  \.d54x$/);
});
