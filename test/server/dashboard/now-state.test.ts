import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Sampler } from "../../../src/server/dashboard/sampler.ts";
import { breakerStates, issuerStates } from "../../../src/dashboard/wire-fields.ts";
import type { State } from "../../../src/dashboard/wire-state.ts";
import type { GuardStatus } from "../../../src/guard/status-types.ts";
import { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import type { Service } from "../../../src/server/service.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { composedService, samplerOptions } from "./composed-service.ts";
import { failingAuthority } from "./failing-authority.ts";

const roles = new Set(["issuer", "gateway"] as const);

function startSampler(t: TestContext, service: Service, clock: FakeClock): Sampler {
  const sampler = new Sampler(service, samplerOptions(new HealthMonitor(service, roles, clock), clock));
  sampler.start();
  t.after(() => sampler.stop());
  return sampler;
}

type Cause = "authority_misconfigured" | "authority_unavailable";

/** Samples a service that trusts a provider whose authority fails with this error. */
async function sampleFailingAuthority(t: TestContext, cause: Cause, lastError: string): Promise<Sampler> {
  const service = await composedService(t);
  const status = service.guard.status();
  const [own] = status.issuers;
  assert.ok(own !== undefined);
  const authority = failingAuthority({ cause, lastError });
  const foreign = { ...own, issuer: "https://other.example", state: "unavailable", authority } as const;
  const ailing: GuardStatus = { ...status, issuers: [own, foreign] };
  const sampler = startSampler(
    t,
    { ...service, guard: { ...service.guard, status: () => ailing } },
    new FakeClock(),
  );
  await sampler.checkHealth();
  return sampler;
}

async function stateWithFailingAuthority(t: TestContext, cause: Cause, lastError: string): Promise<State> {
  return (await sampleFailingAuthority(t, cause, lastError)).latestFrame().state;
}

test("a frame has the state of each issuer, and the breaker and the outage of its authority", async (t) => {
  const sampler = await sampleFailingAuthority(t, "authority_unavailable", "no answer within 2000 ms");
  const { values } = sampler.latestFrame();
  const column = (field: string) => values[sampler.fields.indexOf(`issuer.1.${field}`)];
  assert.equal(column("state"), issuerStates.indexOf("unavailable"));
  assert.equal(column("breaker"), breakerStates.indexOf("open"));
  assert.equal(column("failingS"), 39);
});

test("law 10: headline, step, part and upstream say the same of an authority that answers 401", async (t) => {
  const state = await stateWithFailingAuthority(t, "authority_misconfigured", "the authority answered 401");
  const words = "has refused this service itself (401) for 39 s";
  assert.ok(state.headline.text.includes(words), state.headline.text);
  assert.equal(state.steps.find(({ name }) => name === "authority")?.words, words);
  assert.equal(state.upstreams.find(({ kind }) => kind === "authority")?.words, words);
  assert.match(state.components["provider"]?.detail ?? "", /has refused this service itself \(401\)/);
  assert.doesNotMatch(JSON.stringify(state), /has not answered/);
});

test("law 10: headline, step and upstream say the same of an authority that does not answer", async (t) => {
  const state = await stateWithFailingAuthority(t, "authority_unavailable", "no answer within 2000 ms");
  const words = "has not answered for 39 s";
  assert.ok(state.headline.text.includes(words), state.headline.text);
  assert.equal(state.steps.find(({ name }) => name === "authority")?.words, words);
  assert.equal(state.upstreams.find(({ kind }) => kind === "authority")?.words, words);
});

test("law 10: keys that were fetched are well, and those of a failed fetch, a vanished key or none are not", async (t) => {
  const service = await composedService(t);
  const status = service.guard.status();
  const [own] = status.issuers;
  assert.ok(own !== undefined);
  const fetched = { usable: true, kids: ["a"], vanished: [], ageMs: 60_000, maxStaleMs: 86_400_000 };
  const sets = [
    ["ok", { ...fetched, lastError: null }],
    ["degraded", { ...fetched, lastError: "the key set answered 503" }],
    ["degraded", { ...fetched, lastError: null, vanished: ["b"] }],
    ["degraded", { ...fetched, lastError: null, ageMs: 80_000_000 }],
    ["failing", { ...fetched, lastError: "the key set answered 503", usable: false, ageMs: null }],
  ] as const;
  const issuers = sets.map(([, keys], index) => ({
    ...own,
    issuer: `https://${index}.example`,
    keys: { ...own.keys, ...keys },
  }));
  const watched: GuardStatus = { ...status, issuers };
  const guard = { ...service.guard, status: () => watched };
  const sampler = startSampler(t, { ...service, guard }, new FakeClock());
  await sampler.checkHealth();
  const upstreams = sampler.latestFrame().state.upstreams.filter(({ kind }) => kind === "keys");
  assert.deepEqual(
    upstreams.map(({ state }) => state),
    sets.map(([state]) => state),
  );
});

test("the rates of the decisions add up to the tokens that arrive, also after the clock was set back", async (t) => {
  const service = await composedService(t);
  const clock = new FakeClock();
  const sampler = startSampler(t, service, clock);
  await sampler.checkHealth();
  for (let second = 0; second < 4; second++) {
    for (let each = 0; each < 3; each++) await service.guard.validate(`no.token.${second}${each}`);
    if (second === 2) clock.setWall(clock.now() - 3_600_000);
    await clock.advance(1_000);
  }
  const { steps, decisions } = sampler.latestFrame().state;
  const { valid, invalid, forbidden, unavailable } = decisions;
  assert.ok(invalid >= 2, `${invalid} in a second`);
  assert.equal(steps[0]?.perS, valid + invalid + forbidden + unavailable);
});
