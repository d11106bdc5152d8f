import assert from "node:assert/strict";
import { test } from "node:test";
import { describeOutcomes } from "../../../src/server/dashboard/outcome-words.ts";
import { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { composedService } from "./composed-service.ts";
import { failingAuthority } from "./failing-authority.ts";

const roles = new Set(["issuer", "gateway"] as const);

test("law 10: tokens that only some routes refuse are not called partly answered", async (t) => {
  const service = await composedService(t);
  const status = service.guard.status();
  const [own] = status.issuers;
  assert.ok(own?.revocations != null);
  const revocations = { ...own.revocations, complete: false, ageMs: 39_000, lastError: "READONLY" };
  const issuers = [{ ...own, state: "degraded", revocations }] as const;
  const ailing = { ...status, issuers };
  const guard = { ...service.guard, status: () => ailing };
  const bounds = { narrowestMs: 1_000, widestMs: Infinity };
  const clock = new FakeClock();
  const health = await new HealthMonitor({ ...service, guard }, roles, clock, bounds).check();
  const told = describeOutcomes(health, ailing, { mode: "deny" });
  assert.equal(told["ownTokens"]?.words, "some routes answer 503");
  assert.equal(told["login"]?.words, "answered");
  assert.equal(
    health.components.revocations.effect,
    "Tokens on routes that need fresh revocations answer 503, and on the others in 21 s.",
  );
  // The headline and the part count from the last read.
  assert.equal(health.components.revocations.since, clock.now() - 39_000);
  assert.equal(health.headline.since, health.components.revocations.since);
});

test("law 10: tokens of a provider without its authority are answered", async (t) => {
  const service = await composedService(t);
  const status = service.guard.status();
  const [own] = status.issuers;
  assert.ok(own !== undefined);
  const authority = failingAuthority({
    cause: "authority_misconfigured",
    lastError: "the authority answered 401",
  });
  const foreign = { ...own, issuer: "https://other.example", state: "degraded", authority } as const;
  const ailing = { ...status, issuers: [own, foreign] };
  const guard = { ...service.guard, status: () => ailing };
  const clock = new FakeClock();
  const health = await new HealthMonitor({ ...service, guard }, roles, clock).check();
  assert.equal(
    describeOutcomes(health, ailing, { mode: "local" })["providerTokens"]?.words,
    "answered without the authority",
  );
  const { provider } = health.components;
  assert.match(provider?.detail ?? "", /its authority has refused this service itself \(401\): /);
  assert.equal(provider?.since, clock.now() - 39_000);
});

test("law 10: not all tokens of a provider are called 503 while some pass from memory", async (t) => {
  const service = await composedService(t);
  const status = service.guard.status();
  const [own] = status.issuers;
  assert.ok(own !== undefined);
  const told = async (failingMs: number, remembered: number, usable = true) => {
    const authority = failingAuthority({ failingMs, lastError: "the authority answered 500" });
    const keys = { ...own.keys, usable };
    const foreign = {
      ...own,
      issuer: "https://other.example",
      state: "unavailable",
      keys,
      authority,
    } as const;
    const memory = { ...status.memory, valid: { ...status.memory.valid, size: remembered } };
    const ailing = { ...status, issuers: [own, foreign], memory };
    const guard = { ...service.guard, status: () => ailing };
    const health = await new HealthMonitor({ ...service, guard }, roles, new FakeClock()).check();
    const { providerTokens } = describeOutcomes(health, ailing, { mode: "deny" });
    return { ...providerTokens, detail: health.components.provider?.detail };
  };
  const passing = await told(60_000, 1);
  assert.equal(passing.status, "degraded");
  assert.equal(passing.words, "new tokens answer 503");
  assert.match(passing.detail ?? "", /: its new tokens answer 503; its authority has answered 500: /);
  const gone = { status: "unavailable", words: "all answer 503", because: ["provider"] };
  for (const [failingMs, remembered, usable] of [
    [300_000, 1, true],
    [60_000, 0, true],
    [60_000, 1, false],
  ] as const) {
    const { detail, ...outcome } = await told(failingMs, remembered, usable);
    assert.deepEqual(outcome, gone);
    assert.equal(/; keys: .*; its authority has answered 500: /.test(detail ?? ""), !usable, detail);
  }
});
