import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { noRedis, RedisServer, waitUntil } from "../../support/redis-servers.ts";
import { makeFixture, minute, settleWithin } from "../degraded/fixture.ts";
import { SharedMap } from "./shared-map.ts";
import { sharedStatus, createSharedSetup, describeVerdict } from "./fixture.ts";

const kinds = ["token", "opaqueToken"] as const;

void describe("the warm-up of a starting instance", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  void test("loads the recently used entries, so that their tokens need neither Redis nor the authority", async (t) => {
    const { instance, provider, asked, clock, written } = await createSharedSetup(t, server);
    const tokens = kinds.flatMap((kind) => Array.from({ length: 150 }, () => provider[kind]()));
    const one = await instance();
    for (const token of tokens) await describeVerdict(one, token);
    await written();
    await clock.advance(1_000);
    await waitUntil(async () => server.written().includes("ZADD"), "the list of recently used entries");
    const started = await instance();
    assert.equal(sharedStatus(started).warmed, tokens.length);
    await server.kill();
    t.after(async () => await server.up());
    for (const token of tokens) assert.equal(await describeVerdict(started, token), "valid from shared");
    assert.equal(asked.length, tokens.length);
  });
});

/** Twenty answers that one instance has shared. */
async function createTwentyAnswers(t: Parameters<typeof makeFixture>[0]) {
  const world = await makeFixture(t);
  const shared = new SharedMap();
  const tokens = Array.from({ length: 20 }, (_, i) => world.provider.opaqueToken({ jti: `${i}` }));
  const one = world.guard({ shared });
  for (const token of tokens) await describeVerdict(one, token);
  await world.clock.advance(1_000);
  return { ...world, shared, tokens, asked: world.asked };
}

test("an entry of the warm-up that is not authentic is a miss and is reported", async (t) => {
  const { guard, shared, tokens, provider, events, asked } = await createTwentyAnswers(t);
  const texts = [...shared.kept.values()].map(({ text }) => text);
  const names = [...shared.kept.keys()];
  for (const [i, name] of names.entries()) {
    shared.kept.set(name, { text: texts[(i + 1) % 20] ?? "", endsAt: Infinity });
  }
  for (let i = 0; i < 20; i++) provider.revoke(`${i}`);
  const started = guard({ shared });
  await started.ready();
  assert.equal(sharedStatus(started).warmed, 20);
  for (const token of tokens) assert.equal(await describeVerdict(started, token), "invalid: inactive");
  assert.equal(asked.length, 40);
  assert.deepEqual(events(), ["shared_rejected"], "one event, not forty");
});

test("law 2: an entry of the warm-up expires like any other", async (t) => {
  const { guard, shared, tokens, clock, asked } = await createTwentyAnswers(t);
  const started = guard({ shared });
  await started.ready();
  await clock.advance(5 * minute);
  for (const token of tokens) assert.equal(await describeVerdict(started, token), "valid from verification");
  assert.equal(asked.length, 40);
});

test("the warm-up is bounded in bytes", async (t) => {
  const { guard, shared, tokens } = await createTwentyAnswers(t);
  const started = guard({ shared, memory: { maxBytes: 8_000 } });
  await started.ready();
  const reads = shared.reads.length;
  for (const token of tokens) assert.equal(await describeVerdict(started, token), "valid from shared");
  assert.ok(shared.reads.length > reads, "some entries did not fit");
});

test("ready() waits for the warm-up for at most a second and at most its timeoutMs", async (t) => {
  const { guard, clock } = await makeFixture(t);
  const shared = new SharedMap();
  shared.fault = async () => await new Promise<never>(() => {});
  const unlimited = guard({ shared }).ready();
  assert.equal(await settleWithin(clock, 990, unlimited), "pending");
  assert.equal(await settleWithin(clock, 100, unlimited), undefined);
  const limited = guard({ shared }).ready({ timeoutMs: 300 });
  assert.equal(await settleWithin(clock, 290, limited), "pending");
  assert.equal(await settleWithin(clock, 20, limited), undefined);
});

test("a malformed list of recently used entries does not prevent a start", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  for (const nonsense of [null, 1, {}, [null], ["a", {}], "names"]) {
    const shared = new SharedMap();
    shared.fault = () => nonsense;
    const started = guard({ shared });
    assert.equal(await settleWithin(clock, 1_100, started.ready()), undefined);
    assert.equal(await describeVerdict(started, provider.token()), "valid from verification");
  }
});
