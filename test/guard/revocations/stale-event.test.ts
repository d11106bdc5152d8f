import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { GuardEvent } from "../../../src/core/events.ts";
import type { RevocationFeed } from "../../../src/stores/store.ts";
import { makeFixture } from "../fixture.ts";

test("law 10: an outage of the revocations has one event when tokens begin to be refused, and one at its end", async (t) => {
  const { clock, mint, log, guard: makeGuard } = await makeFixture();
  let isDown = false;
  const feed: RevocationFeed = {
    snapshot: async () => await log.snapshot(),
    after: async (position) => {
      if (isDown) throw new Error("down");
      return await log.after(position);
    },
    subscribe: () => () => {},
  };
  const guard = makeGuard({ revocations: feed });
  t.after(async () => await guard.close());
  await guard.ready();
  const told: string[] = [];
  const onEvent = (published: unknown) => {
    const { event, message } = published as GuardEvent;
    if (event !== "revocations_failed") told.push(`${event}: ${message}`);
  };
  subscribe("holdfast:guard", onEvent);
  t.after(() => unsubscribe("holdfast:guard", onEvent));
  const [hot, cold] = [mint.token(), mint.token()];
  const refuse = async (token: string, rules = {}) =>
    assert.equal((await guard.authorize(token, rules)).status, "unavailable");

  for (let outage = 0; outage < 2; outage++) {
    assert.equal((await guard.validate(hot)).status, "valid");
    isDown = true;
    await clock.advance(30_000);
    assert.equal((await guard.validate(hot)).status, "valid");
    assert.deepEqual(told, []);
    for (let i = 0; i < 3; i++) await refuse(hot, { maxRevocationAgeMs: 5_000 });
    await clock.advance(40_000);
    for (const token of [hot, cold, hot, cold]) await refuse(token, { maxRevocationAgeMs: 5_000 });
    isDown = false;
    await clock.advance(10_000);
    const [some = "", all = "", end = "", ...others] = told.splice(0);
    assert.match(
      some,
      /^revocations_stale: tokens under rules with a smaller maxRevocationAgeMs are unavailable \(503\): new revocations have not arrived for 3\d s$/,
    );
    assert.match(
      all,
      /^revocations_stale: tokens are unavailable \(503\): new revocations have not arrived for 7\d s$/,
    );
    assert.match(
      end,
      /^revocations_synced: revocations arrive again after 7\d s, complete up to entry 0; tokens are no longer unavailable$/,
    );
    assert.deepEqual(others, []);
  }
});
