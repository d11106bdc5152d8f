import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrustedIssuerStatus } from "../../../src/guard/status-types.ts";
import { describeUpstreams, type UpstreamFacts } from "../../../src/server/dashboard/upstreams.ts";
import { defaultFallback } from "../../../src/server/health/fallback.ts";
import { failingAuthority } from "./failing-authority.ts";
import { fixedMoment, sharedStatus, wellIssuer } from "./fixed-moment.ts";

const cached = { ...defaultFallback, mode: "cached" } as const;
const answering = failingAuthority({ breaker: "closed", failingMs: null, cause: null, lastError: null });
const view = { complete: true, ageMs: 500, entries: 3, seq: 9, lastError: null } as const;

function upstreams(issuer: Partial<TrustedIssuerStatus>, more: Partial<UpstreamFacts> = {}) {
  return describeUpstreams({
    moment: fixedMoment({ issuers: [{ ...wellIssuer, ...issuer }] }),
    fallback: defaultFallback,
    revocationLimitMs: 60_000,
    store: { description: "redis 127.0.0.1:6379 (1 replica)" } as UpstreamFacts["store"],
    storeHealth: { status: "ok", reason: null, detail: "takes writes" } as UpstreamFacts["storeHealth"],
    ...more,
  });
}

/** The state and the words of an upstream, its age against the limit, what the limit means, and its last error. */
function textOf(kind: string, found: ReturnType<typeof upstreams>): string | undefined {
  const upstream = found.find((each) => each.kind === kind);
  if (upstream === undefined) return undefined;
  const { state, words, age, lastError } = upstream;
  return [state, words, age && `${age.ageMs} of ${age.limitMs}`, age?.words, lastError].join(" | ");
}

test("the keys of an issuer say what is wrong with them, and what happens at their limit", () => {
  const textWith = (keys: Partial<TrustedIssuerStatus["keys"]>) =>
    textOf("keys", upstreams({ keys: { ...wellIssuer.keys, ...keys } }));
  const limit = "of 86400000 | after 24 h without a fetch, its tokens answer 503";
  assert.equal(textWith({}), `ok | fetched | 60000 ${limit} | `);
  const kinds = (maxStaleMs: number | null) =>
    upstreams({ keys: { ...wellIssuer.keys, maxStaleMs } }).map(({ kind }) => kind);
  assert.deepEqual(
    kinds(null),
    kinds(86_400_000).filter((kind) => kind !== "keys"),
    "configured keys are no upstream",
  );
  assert.equal(textWith({ ageMs: 43_200_000 }), `ok | fetched | 43200000 ${limit} | `);
  assert.equal(textWith({ ageMs: 43_200_001 }), `degraded | fetched | 43200001 ${limit} | `);
  assert.equal(
    textWith({ vanished: ["b"] }),
    `degraded | a key left the set and still serves | 60000 ${limit} | `,
  );
  assert.equal(
    textWith({ lastError: "503", vanished: ["b"] }),
    `degraded | the last fetch failed; the set is 60 s old | 60000 ${limit} | 503`,
  );
  assert.equal(textWith({ lastError: "503", ageMs: null }), "degraded | the last fetch failed |  |  | 503");
  assert.equal(
    textWith({ lastError: "503", ageMs: null, usable: false }),
    "failing | there is no usable key |  |  | 503",
  );
});

test("an authority says whether it answers, and how long tokens do without it", () => {
  const textWith = (authority: TrustedIssuerStatus["authority"], fallback = defaultFallback) =>
    textOf("authority", upstreams({ authority }, { fallback }));
  const left = "39000 of 3600000 | after 1 h without an answer, its tokens answer 503";
  assert.equal(textWith(null), undefined);
  assert.equal(textWith(answering), "ok | answers |  |  | ");
  assert.equal(
    textWith(failingAuthority({})),
    "failing | has not answered for 39 s | 39000 of null | its tokens answer 503 | timeout",
  );
  assert.equal(
    textWith(failingAuthority({}), cached),
    `degraded | has not answered for 39 s | ${left} | timeout`,
  );
  const forced = (breaker: "forced open" | "forced closed") => ({ ...answering, breaker });
  assert.equal(textWith(forced("forced open")), "failing | breaker forced open by hand |  |  | ");
  assert.equal(textWith(forced("forced open"), cached), "degraded | breaker forced open by hand |  |  | ");
  assert.equal(textWith(forced("forced closed")), "degraded | breaker forced closed by hand |  |  | ");
});

test("a view of revocations says whether it is complete, and its error without the name of the store", () => {
  const textWith = (
    revocations: TrustedIssuerStatus["revocations"],
    state: TrustedIssuerStatus["state"] = "ready",
    limitMs: number | null = 60_000,
  ) => textOf("revocations", upstreams({ revocations, state }, { revocationLimitMs: limitMs }));
  const limit = "of 60000 | after 60 s without news, its tokens answer 503";
  assert.equal(textWith(null), undefined);
  assert.equal(textWith(view), `ok | the view is complete, 3 in force | 500 ${limit} | `);
  assert.equal(textWith(view, "unavailable"), `ok | the view is complete, 3 in force | 500 ${limit} | `);
  assert.equal(textWith({ ...view, complete: false }), `degraded | the view is behind | 500 ${limit} | `);
  assert.equal(
    textWith({ ...view, complete: false }, "unavailable"),
    `failing | the view is behind | 500 ${limit} | `,
  );
  assert.equal(
    textWith({ ...view, lastError: "redis 127.0.0.1:6379: timeout" }),
    `degraded | the view is behind | 500 ${limit} | timeout`,
  );
  const old = { ...view, complete: false, ageMs: 60_001 };
  assert.equal(textWith({ ...old, ageMs: 60_000 }), `degraded | the view is behind | 60000 ${limit} | `);
  assert.equal(textWith(old), `failing | the view is behind | 60001 ${limit} | `);
  assert.equal(
    textWith(old, "ready", null),
    "degraded | the view is behind | 60001 of null | its tokens answer 503 | ",
  );
  assert.equal(textWith({ ...old, ageMs: Infinity }), "failing | the view is behind |  |  | ");
});

test("the store and the shared cache say whether they work", () => {
  assert.equal(textOf("store", upstreams({})), "ok | takes writes |  |  | ");
  const failing = (status: "degraded" | "unavailable") =>
    textOf(
      "store",
      upstreams(
        {},
        {
          storeHealth: {
            status,
            reason: "store_unavailable",
            detail: "redis 127.0.0.1:6379: timeout",
          } as UpstreamFacts["storeHealth"],
        },
      ),
    );
  assert.match(failing("degraded") ?? "", /^degraded \| \w[^|]+ \|  \|  \| timeout$/);
  assert.match(failing("unavailable") ?? "", /^failing \| \w[^|]+ \|  \|  \| timeout$/);
  const shared = (breaker: "closed" | "open", lastError: string | null) =>
    textOf(
      "shared",
      upstreams({}, { moment: fixedMoment({ shared: { ...sharedStatus, breaker, lastError } }) }),
    );
  assert.equal(textOf("shared", upstreams({})), undefined);
  assert.equal(shared("closed", null), "ok | answers |  |  | ");
  assert.equal(shared("open", "timeout"), "degraded | does not answer, and is skipped |  |  | timeout");
});
