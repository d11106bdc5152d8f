import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "../../../src/server/service.ts";
import { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { composedService } from "../dashboard/composed-service.ts";

const LIMIT_MS = 60_000;
const PROBE_MS = 400;
const roles = new Set(["issuer", "gateway"] as const);

test("law 10: health is never more optimistic than the guard while the store does not answer the probe", async (t) => {
  const service = await composedService(t);
  const clock = new FakeClock();
  const well = service.guard.status();
  const [own] = well.issuers;
  assert.ok(own?.revocations != null);
  const { revocations } = own;
  /** The age of the view follows the clock. */
  const status = () => {
    const ageMs = clock.monotonic() - since;
    const state = ageMs > LIMIT_MS ? ("unavailable" as const) : ("degraded" as const);
    const view = { ...revocations, complete: false, ageMs, lastError: "no answer within 2000 ms" };
    return { ...well, state, issuers: [{ ...own, state, revocations: view }] };
  };
  let since = clock.monotonic();
  const { markers } = service.store;
  const never = async () => await new Promise<never>(() => {});
  const store = { ...service.store, markers: { ...markers, read: never, claim: never, replace: never } };
  const frozen: Service = { ...service, store, guard: { ...service.guard, status } };
  const monitor = new HealthMonitor(frozen, roles, clock);
  /** What health says of tokens in a check that ends when the view has this age. */
  const checkAt = async (ageMs: number) => {
    await clock.advance(ageMs - PROBE_MS - (clock.monotonic() - since));
    const checking = monitor.check();
    await clock.advance(PROBE_MS);
    const { outcomes, headline } = await checking;
    return [outcomes.ownTokens.status, headline.text.split(", ").at(-1)];
  };
  const accepted = (leftS: number) => [
    "ok",
    `tokens are accepted without new revocations for ${leftS} s more`,
  ];
  await checkAt(PROBE_MS);
  assert.deepEqual(await checkAt(50_100), accepted(9));
  assert.deepEqual(await checkAt(LIMIT_MS), accepted(0));
  since = clock.monotonic();
  // A check that begins before the limit ends after it, and by less than a millisecond.
  assert.deepEqual(await checkAt(LIMIT_MS + 0.4), ["unavailable", "tokens answer 503"]);
});

test("law 10: the headline about a check that waits for the store is true of a read and of a write", async (t) => {
  const service = await composedService(t);
  const clock = new FakeClock();
  const { markers } = service.store;
  const store = {
    ...service.store,
    markers: { ...markers, read: async () => await new Promise<never>(() => {}) },
  };
  const checking = new HealthMonitor({ ...service, store }, roles, clock).check();
  await clock.advance(PROBE_MS);
  const { headline, components } = await checking;
  assert.equal(components.store.reason, "slow");
  assert.equal(
    headline.text,
    `The store ${store.description} has been slow to answer: logins and refreshes wait for it, and some may answer 503, tokens are still accepted`,
  );
  assert.match(
    headline.advice ?? "",
    /^Check the disk of this file for other work\. A check has been waiting for 400 ms\.$/,
  );
});
