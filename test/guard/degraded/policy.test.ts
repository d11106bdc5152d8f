import assert from "node:assert/strict";
import { test } from "node:test";
import { hour, letIn, makeWorld, minute, out, short } from "./fixture.ts";

const modes = ["deny", "cached", "local"] as const;

/** What passes while the authority is out, under each mode: a proven token, one with an earlier yes, opaque ones likewise. */
const allowed = {
  deny: { proven: out, answered: out, opaque: out, answeredOpaque: out },
  cached: { proven: out, answered: letIn, opaque: out, answeredOpaque: letIn },
  local: { proven: letIn, answered: letIn, opaque: out, answeredOpaque: letIn },
} as const;

for (const mode of modes) {
  test(`fault 16: under ${mode}, while the authority refuses connections`, async (t) => {
    const { guard, provider, clock } = await makeWorld(t);
    const g = guard({ degraded: mode });
    const exp = clock.now() / 1000 + 86_400;
    const tokens = {
      proven: provider.token(),
      answered: provider.token(),
      opaque: provider.opaqueToken({ exp }),
      answeredOpaque: provider.opaqueToken({ exp }),
    };
    for (const token of [tokens.answered, tokens.answeredOpaque]) {
      assert.equal(short(await g.validate(token)), "valid");
    }
    provider.fault("introspection", { refuse: true });
    for (const token of [tokens.answered, tokens.answeredOpaque]) {
      assert.equal(short(await g.validate(token)), "valid", "an answer is good for five minutes");
    }
    await clock.advance(6 * minute);
    for (const [kind, token] of Object.entries(tokens)) {
      const verdict = await g.validate(token);
      assert.equal(short(verdict), allowed[mode][kind as keyof typeof tokens], kind);
      if (verdict.status === "valid") {
        assert.equal(verdict.basis, kind === "proven" ? "verification" : "authority");
        assert.ok((verdict.degraded?.sinceMs ?? 0) >= 0);
      }
      if (verdict.status === "unavailable") assert.ok(verdict.retryAfterMs > 0);
    }
  });

  for (const route of modes) {
    test(`law 9: a route that says ${route} narrows a guard that says ${mode}, and never widens it`, async (t) => {
      const { guard, provider, clock } = await makeWorld(t);
      const g = guard({ degraded: mode });
      const [proven, answered] = [provider.token(), provider.token()];
      await g.validate(answered);
      provider.fault("introspection", { refuse: true });
      await clock.advance(6 * minute);
      const strictest = modes[Math.min(modes.indexOf(mode), modes.indexOf(route))] ?? "deny";
      const rules = { degraded: route };
      assert.equal(short(await g.authorize(proven, rules)), allowed[strictest].proven);
      assert.equal(short(await g.authorize(answered, rules)), allowed[strictest].answered);
      assert.equal(short(await g.authorize(proven)), allowed[mode].proven, "the next call has its own rules");
    });
  }
}

test("law 10: without a word about it nothing is let in", async (t) => {
  const { guard, provider } = await makeWorld(t);
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await guard().validate(provider.token())), out);
});

for (const mode of ["cached", "local"] as const) {
  test(`law 10: under ${mode} an outage is bridged for maxMs and no longer, and what comes first is no matter`, async (t) => {
    const { guard, provider, clock } = await makeWorld(t);
    const g = guard({ degraded: { mode, maxMs: hour } });
    const used = provider.token();
    const unused = provider.token();
    for (const token of [used, unused]) assert.equal(short(await g.validate(token)), "valid");
    provider.fault("introspection", { refuse: true });
    await clock.advance(6 * minute);
    assert.equal(short(await g.validate(used)), letIn);
    await clock.advance(53 * minute);
    for (const token of [used, unused]) assert.equal(short(await g.validate(token)), letIn);
    await clock.advance(8 * minute);
    for (const token of [used, unused, provider.token()]) assert.equal(short(await g.validate(token)), out);
    assert.equal(g.status().state, "unavailable");
    provider.restore();
    await clock.advance(minute);
    for (const token of [used, unused]) assert.equal(short(await g.validate(token)), "valid");
  });
}

test("law 10: a token whose questions always fail while others are answered is let in for maxMs and no longer", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard({ degraded: { mode: "local", maxMs: hour } });
  const odd = provider.token();
  says((token) => (token === odd ? new Response("", { status: 500 }) : { active: true }));
  for (let passed = 0; passed < 240; passed++) {
    assert.equal(short(await g.validate(odd)), passed < 60 ? letIn : out, `${passed} min`);
    assert.equal(short(await g.validate(provider.token())), "valid");
    await clock.advance(minute);
  }
});

test("law 10: who may not be let in any more waits for the answer, although the mode would allow it", async (t) => {
  const { guard, provider, clock } = await makeWorld(t);
  const g = guard({ degraded: { mode: "local", maxMs: minute } });
  const token = provider.token();
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), letIn);
  await clock.advance(5 * minute);
  provider.restore();
  await clock.advance(minute);
  provider.fault("introspection", { latencyMs: 300 });
  const call = g.validate(token);
  await clock.advance(300);
  assert.equal(short(await call), "valid");
});

test("law 9: an earlier yes is no yes once the authority answers again", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
  const g = guard({ degraded: "cached" });
  const token = provider.token();
  await g.validate(token);
  await clock.advance(6 * minute);
  const verdict = await g.validate(token);
  assert.ok(verdict.status === "valid" && verdict.from === "verification" && verdict.degraded === null);
  assert.deepEqual(asked, [token, token]);
});

test("law 2: a token that is let in is refused from exp and the tolerance on, to the millisecond, in every mode", async (t) => {
  for (const mode of ["cached", "local"] as const) {
    await t.test(`fault 35: under ${mode}`, async (tt) => {
      const { guard, provider, clock } = await makeWorld(tt, 20 * minute);
      const g = guard({ degraded: mode, clockToleranceMs: 5_000 });
      const [token, opaque] = [provider.token(), provider.opaqueToken()];
      for (const one of [token, opaque]) assert.equal(short(await g.validate(one)), "valid");
      provider.fault("introspection", { refuse: true });
      await clock.advance(20 * minute + 4_999);
      for (const one of [token, opaque]) assert.equal(short(await g.validate(one)), letIn);
      clock.setWall(clock.now() + 1);
      assert.equal(short(await g.validate(token)), "invalid: expired");
      assert.equal(short(await g.validate(opaque)), out, "what it was is forgotten by then");
    });
  }
});

test("law 1: a scope that the authority might have added is not denied while it is out", async (t) => {
  const { guard, provider, clock, says } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  const token = provider.token({ scope: "read" });
  const other = provider.token({ scope: "read" });
  const rules = { scopes: ["read", "write"] };
  says({ active: true, scope: "read write" });
  assert.equal(short(await g.authorize(token, rules)), "valid");
  provider.fault("introspection", { refuse: true });
  await clock.advance(6 * minute);
  assert.equal(short(await g.authorize(token, rules)), letIn, "it had been added");
  assert.equal(short(await g.authorize(token, { scopes: ["delete"] })), "forbidden", "it had not");
  assert.equal(short(await g.authorize(other, { scopes: ["read"] })), letIn);
  assert.equal(short(await g.authorize(other, rules)), out);
});

test("fault 20: the authority refuses us: no token is called bad, and the cause says whose fault it is", async (t) => {
  const { guard, provider, events } = await makeWorld(t);
  const strict = guard();
  const lax = guard({ degraded: "local" });
  provider.fault("introspection", { status: 401 });
  assert.equal(short(await strict.validate(provider.token())), "unavailable: authority_misconfigured");
  assert.equal(short(await lax.validate(provider.token())), "degraded: authority_misconfigured");
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
  test(`fault 19: ${JSON.stringify(fault)} is no answer: 503 or the policy, never a yes that is kept, never a no`, async (t) => {
    const { guard, provider } = await makeWorld(t);
    const [strict, lax] = [guard(), guard({ degraded: "local" })];
    const token = provider.token();
    provider.fault("introspection", fault);
    for (let i = 0; i < 2; i++) {
      const verdict = await strict.validate(token);
      assert.equal(short(verdict), out);
      if ("headers" in fault) assert.ok(verdict.status === "unavailable" && verdict.retryAfterMs === 7_000);
      assert.equal(short(await lax.validate(token)), letIn);
    }
    assert.equal(short(await strict.validate(provider.opaqueToken())), out);
  });
}
