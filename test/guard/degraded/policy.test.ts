import assert from "node:assert/strict";
import { test } from "node:test";
import { hour, degradedVerdict, makeFixture, minute, noAnswer, describeDecision } from "./fixture.ts";

const modes = ["deny", "cached", "local"] as const;

/** The verdicts during an outage, for each mode: a verified token, one with an earlier yes, and two opaque ones likewise. */
const allowed = {
  deny: { proven: noAnswer, answered: noAnswer, opaque: noAnswer, answeredOpaque: noAnswer },
  cached: { proven: noAnswer, answered: degradedVerdict, opaque: noAnswer, answeredOpaque: degradedVerdict },
  local: {
    proven: degradedVerdict,
    answered: degradedVerdict,
    opaque: noAnswer,
    answeredOpaque: degradedVerdict,
  },
} as const;

for (const mode of modes) {
  test(`fault 16: in mode ${mode} the guard accepts what the mode allows while the authority refuses connections`, async (t) => {
    const { guard, provider, clock } = await makeFixture(t);
    const g = guard({ degraded: mode });
    const exp = clock.now() / 1000 + 86_400;
    const tokens = {
      proven: provider.token(),
      answered: provider.token(),
      opaque: provider.opaqueToken({ exp }),
      answeredOpaque: provider.opaqueToken({ exp }),
    };
    for (const token of [tokens.answered, tokens.answeredOpaque]) {
      assert.equal(describeDecision(await g.validate(token)), "valid");
    }
    provider.fault("introspection", { refuse: true });
    for (const token of [tokens.answered, tokens.answeredOpaque]) {
      assert.equal(describeDecision(await g.validate(token)), "valid", "an answer is good for five minutes");
    }
    await clock.advance(6 * minute);
    for (const [kind, token] of Object.entries(tokens)) {
      const verdict = await g.validate(token);
      assert.equal(describeDecision(verdict), allowed[mode][kind as keyof typeof tokens], kind);
      if (verdict.status === "valid") {
        assert.equal(verdict.basis, kind === "proven" ? "verification" : "authority");
        assert.ok((verdict.degraded?.sinceMs ?? 0) >= 0);
      }
      if (verdict.status === "unavailable") assert.ok(verdict.retryAfterMs > 0);
    }
  });

  for (const route of modes) {
    test(`law 9: a route with mode ${route} can only narrow a guard with mode ${mode}`, async (t) => {
      const { guard, provider, clock } = await makeFixture(t);
      const g = guard({ degraded: mode });
      const [proven, answered] = [provider.token(), provider.token()];
      await g.validate(answered);
      provider.fault("introspection", { refuse: true });
      await clock.advance(6 * minute);
      const strictest = modes[Math.min(modes.indexOf(mode), modes.indexOf(route))] ?? "deny";
      const rules = { degraded: route };
      assert.equal(describeDecision(await g.authorize(proven, rules)), allowed[strictest].proven);
      assert.equal(describeDecision(await g.authorize(answered, rules)), allowed[strictest].answered);
      assert.equal(
        describeDecision(await g.authorize(proven)),
        allowed[mode].proven,
        "the next call has its own rules",
      );
    });
  }
}

test("law 10: by default the guard accepts no token without the authority", async (t) => {
  const { guard, provider } = await makeFixture(t);
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await guard().validate(provider.token())), noAnswer);
});

for (const mode of ["cached", "local"] as const) {
  test(`law 10: in mode ${mode} the guard falls back for maxMs, whether or not a token was used before`, async (t) => {
    const { guard, provider, clock } = await makeFixture(t);
    const g = guard({ degraded: { mode, maxMs: hour } });
    const used = provider.token();
    const unused = provider.token();
    for (const token of [used, unused]) assert.equal(describeDecision(await g.validate(token)), "valid");
    provider.fault("introspection", { refuse: true });
    await clock.advance(6 * minute);
    assert.equal(describeDecision(await g.validate(used)), degradedVerdict);
    await clock.advance(53 * minute);
    for (const token of [used, unused])
      assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
    await clock.advance(8 * minute);
    for (const token of [used, unused, provider.token()])
      assert.equal(describeDecision(await g.validate(token)), noAnswer);
    assert.equal(g.status().state, "unavailable");
    provider.restore();
    await clock.advance(minute);
    for (const token of [used, unused]) assert.equal(describeDecision(await g.validate(token)), "valid");
  });
}

test("law 10: a token whose own questions always fail is accepted for maxMs", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: { mode: "local", maxMs: hour } });
  const odd = provider.token();
  respondWith((token) => (token === odd ? new Response("", { status: 500 }) : { active: true }));
  for (let passed = 0; passed < 240; passed++) {
    assert.equal(
      describeDecision(await g.validate(odd)),
      passed < 60 ? degradedVerdict : noAnswer,
      `${passed} min`,
    );
    assert.equal(describeDecision(await g.validate(provider.token())), "valid");
    await clock.advance(minute);
  }
});

test("law 10: a call waits for the answer once the token's maxMs is over", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const g = guard({ degraded: { mode: "local", maxMs: minute } });
  const token = provider.token();
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  await clock.advance(5 * minute);
  provider.restore();
  await clock.advance(minute);
  provider.fault("introspection", { latencyMs: 300 });
  const call = g.validate(token);
  await clock.advance(300);
  assert.equal(describeDecision(await call), "valid");
});

test("law 9: an earlier yes does not count once the authority answers again", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard({ degraded: "cached" });
  const token = provider.token();
  await g.validate(token);
  await clock.advance(6 * minute);
  const verdict = await g.validate(token);
  assert.ok(verdict.status === "valid" && verdict.from === "verification" && verdict.degraded === null);
  assert.deepEqual(asked, [token, token]);
});

test("law 2: a token in degraded mode is expired from exp plus the tolerance on, to the millisecond", async (t) => {
  for (const mode of ["cached", "local"] as const) {
    await t.test(`fault 35: in mode ${mode}`, async (tt) => {
      const { guard, provider, clock } = await makeFixture(tt, 20 * minute);
      const g = guard({ degraded: mode, clockToleranceMs: 5_000 });
      const [token, opaque] = [provider.token(), provider.opaqueToken()];
      for (const one of [token, opaque]) assert.equal(describeDecision(await g.validate(one)), "valid");
      provider.fault("introspection", { refuse: true });
      await clock.advance(20 * minute + 4_999);
      for (const one of [token, opaque])
        assert.equal(describeDecision(await g.validate(one)), degradedVerdict);
      clock.setWall(clock.now() + 1);
      assert.equal(describeDecision(await g.validate(token)), "invalid: expired");
      assert.equal(describeDecision(await g.validate(opaque)), noAnswer, "what it was is forgotten by then");
    });
  }
});

test("law 1: a missing scope that the authority might add is unavailable during an outage, not forbidden", async (t) => {
  const { guard, provider, clock, respondWith } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  const token = provider.token({ scope: "read" });
  const other = provider.token({ scope: "read" });
  const rules = { scopes: ["read", "write"] };
  respondWith({ active: true, scope: "read write" });
  assert.equal(describeDecision(await g.authorize(token, rules)), "valid");
  provider.fault("introspection", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(
    describeDecision(await g.authorize(token, rules)),
    degradedVerdict,
    "the authority had added the scope",
  );
  assert.equal(
    describeDecision(await g.authorize(token, { scopes: ["delete"] })),
    "forbidden",
    "the authority had not added the scope",
  );
  assert.equal(describeDecision(await g.authorize(other, { scopes: ["read"] })), degradedVerdict);
  assert.equal(describeDecision(await g.authorize(other, rules)), noAnswer);
});

test("fault 20: when the authority refuses the guard, tokens are unavailable with the cause authority_misconfigured", async (t) => {
  const { guard, provider, events } = await makeFixture(t);
  const strict = guard();
  const lax = guard({ degraded: "local" });
  provider.fault("introspection", { status: 401 });
  assert.equal(
    describeDecision(await strict.validate(provider.token())),
    "unavailable: authority_misconfigured",
  );
  assert.equal(describeDecision(await lax.validate(provider.token())), "degraded: authority_misconfigured");
  assert.ok(events().includes("authority_misconfigured"));
});

for (const fault of [
  { answer: "html" },
  { answer: "no-content" },
  { answer: "empty" },
  { answer: "truncated" },
  { answer: "wrong-schema" },
  { answer: "string-booleans" },
  { answer: "huge" },
  { answer: "redirect" },
  { status: 500 },
  { status: 429, headers: { "Retry-After": "7" } },
] as const) {
  test(`fault 19: ${JSON.stringify(fault)} counts as no answer: the fallback policy decides, and nothing is cached`, async (t) => {
    const { guard, provider } = await makeFixture(t);
    const [strict, lax] = [guard(), guard({ degraded: "local" })];
    const token = provider.token();
    provider.fault("introspection", fault);
    for (let i = 0; i < 2; i++) {
      const verdict = await strict.validate(token);
      assert.equal(describeDecision(verdict), noAnswer);
      if ("headers" in fault) assert.ok(verdict.status === "unavailable" && verdict.retryAfterMs === 7_000);
      assert.equal(describeDecision(await lax.validate(token)), degradedVerdict);
    }
    assert.equal(describeDecision(await strict.validate(provider.opaqueToken())), noAnswer);
  });
}
