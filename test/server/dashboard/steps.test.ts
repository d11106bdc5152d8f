import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSteps, type StepFacts } from "../../../src/server/dashboard/steps.ts";
import { defaultFallback } from "../../../src/server/health/fallback.ts";
import { failingAuthority } from "./failing-authority.ts";
import { FIRST, fixedMoment, sharedStatus, wellIssuer } from "./fixed-moment.ts";

type Rates = Readonly<Record<string, number>>;
type Parts = Parameters<typeof fixedMoment>[0] & { readonly fallback?: StepFacts["fallback"] };

const cached = { ...defaultFallback, mode: "cached" } as const;
const answering = failingAuthority({ breaker: "closed", failingMs: null, cause: null, lastError: null });
const asked = { ...wellIssuer, authority: answering };
const second = { ...asked, issuer: "https://second.example" };
const valid = { "decisions.validPerS": 8 };

function steps(rates: Rates, parts: Parts = {}) {
  return describeSteps({
    moment: fixedMoment(parts),
    reader: { recentPerS: (field) => rates[field] ?? 0 },
    percentile: (field) => field.length,
    fallback: parts.fallback ?? defaultFallback,
  });
}

/** The rates of a guard, its parts, and the state, words and rate of one step. */
const cases: Readonly<Record<string, readonly (readonly [Rates, Parts, string])[]>> = {
  token: [
    [{}, {}, "idle, idle, 0"],
    [valid, {}, "ok, tokens arrive, 8"],
    [{ ...valid, "from.nonePerS": 4 }, {}, "ok, tokens arrive, 8"],
    [{ ...valid, "from.nonePerS": 5 }, {}, "ok, most are refused at once, 8"],
    [{ "decisions.invalidPerS": 1, "decisions.forbiddenPerS": 2 }, {}, "ok, tokens arrive, 3"],
  ],
  memory: [
    [valid, {}, "ok, answers none of them, 8"],
    [{ ...valid, "from.nonePerS": 3 }, {}, "ok, answers none of them, 5"],
    [{ ...valid, "from.memoryPerS": 2 }, {}, "ok, answers 25 % of them, 8"],
    [{ ...valid, "from.memoryPerS": 9 }, {}, "ok, answers 100 % of them, 8"],
    [{ ...valid, "from.nonePerS": 8, "from.memoryPerS": 1 }, {}, "idle, idle, 0"],
  ],
  verification: [
    [{ "from.verificationPerS": 3, "from.sharedPerS": 1 }, {}, "ok, signatures are checked, 4"],
    [
      {},
      { issuers: [{ ...wellIssuer, keys: { ...wellIssuer.keys, usable: false, lastError: "x" } }] },
      `failing, no keys of ${FIRST}, 0`,
    ],
    [
      {},
      { issuers: [{ ...wellIssuer, keys: { ...wellIssuer.keys, lastError: "x" } }] },
      `degraded, the keys of ${FIRST} cannot be fetched, 0`,
    ],
  ],
  shared: [
    [{}, {}, "off, not configured, 0"],
    [{}, { shared: sharedStatus }, "idle, idle, 0"],
    [{ "shared.missesPerS": 3 }, { shared: sharedStatus }, "ok, knows none of them, 3"],
    [{ "shared.missesPerS": 3, "shared.hitsPerS": 1 }, { shared: sharedStatus }, "ok, knows 25 % of them, 4"],
    [{}, { shared: { ...sharedStatus, breaker: "open" } }, "degraded, does not answer, and is skipped, 0"],
  ],
  authority: [
    [{}, {}, "off, not configured, 0"],
    [{ "authority.requestsPerS": 2 }, { issuers: [wellIssuer, asked] }, "ok, answers, 2"],
    [
      {},
      {
        issuers: [
          { ...asked, authority: failingAuthority({ failingMs: 20_000 }) },
          { ...second, authority: failingAuthority({ failingMs: 40_000, lastError: "answered 502" }) },
        ],
      },
      "failing, has answered 502 for 40 s, 0",
    ],
    [
      {},
      { issuers: [{ ...asked, authority: failingAuthority({}) }], fallback: cached },
      "degraded, has not answered for 39 s, 0",
    ],
    [
      {},
      { issuers: [{ ...asked, authority: { ...answering, breaker: "forced open" } }] },
      "failing, breaker forced open, 0",
    ],
    [
      {},
      {
        issuers: [
          { ...asked, authority: { ...answering, breaker: "forced closed" } },
          { ...second, authority: { ...answering, breaker: "forced closed" } },
        ],
      },
      "degraded, breaker forced closed, 0",
    ],
  ],
  degraded: [
    [{}, { issuers: [asked] }, "off, not allowed, 0"],
    [{}, { fallback: cached }, "off, not needed, 0"],
    [{}, { issuers: [asked, wellIssuer], fallback: cached }, "idle, ready, not needed, 0"],
    [
      { "decisions.degradedPerS": 2 },
      {
        issuers: [{ ...asked, authority: failingAuthority({ failingMs: 600_000 }) }, second],
        fallback: cached,
        degraded: [FIRST, second.issuer],
      },
      "degraded, accepts tokens for 50 min more, 2",
    ],
    [
      {},
      {
        issuers: [{ ...asked, authority: failingAuthority({ failingMs: 3_600_000 }) }],
        fallback: cached,
        degraded: [FIRST],
      },
      "failing, its time is over, 0",
    ],
  ],
  decision: [
    [{}, {}, "idle, idle, 0"],
    [valid, {}, "ok, every answer is definite, 8"],
    [{ ...valid, "decisions.unavailablePerS": 2 }, {}, "failing, 20 % answer 503, 10"],
    [{ "decisions.validPerS": 9, "decisions.unavailablePerS": 1 }, {}, "failing, 10 % answer 503, 10"],
    [{ "decisions.validPerS": 95, "decisions.unavailablePerS": 5 }, {}, "degraded, 5 % answer 503, 100"],
    [
      { "decisions.validPerS": 199, "decisions.unavailablePerS": 1 },
      {},
      "degraded, under 1 % answer 503, 200",
    ],
    [
      valid,
      {
        issuers: [
          {
            ...wellIssuer,
            state: "unavailable",
            revocations: { complete: false, ageMs: 90_000, entries: 0, seq: 0, lastError: null },
          },
        ],
      },
      `failing, the revocations of ${FIRST} are too old, 8`,
    ],
  ],
};

for (const [name, rows] of Object.entries(cases)) {
  test(`the step ${name} says its state in words`, () => {
    for (const [rates, parts, expected] of rows) {
      const step = steps(rates, parts).find((each) => each.name === name);
      assert.equal(`${step?.state}, ${step?.words}, ${step?.perS}`, expected);
    }
  });
}

test("the time of a verification is known only where no other step follows it", () => {
  const timed = (parts: Parts) =>
    steps({}, parts)
      .filter(({ p50Ms, p99Ms }) => p50Ms !== null && p99Ms !== null)
      .map(({ name }) => name);
  assert.deepEqual(timed({}), ["memory", "verification", "shared", "authority", "decision"]);
  for (const parts of [{ shared: sharedStatus }, { issuers: [wellIssuer, asked] }]) {
    assert.deepEqual(timed(parts), ["memory", "shared", "authority", "decision"]);
  }
});
