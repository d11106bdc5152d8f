import assert from "node:assert/strict";
import { test } from "node:test";
import { collectMessages, issuer, makeFixture } from "../fixture.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { RevocationFeed } from "../../../src/stores/store.ts";

test("fault 73: a process that was frozen for a minute answers its first requests after one joined read", async (t) => {
  const { clock, mint, log, guard: makeGuard, revoke } = await makeFixture();
  let reads = 0;
  const feed: RevocationFeed = {
    snapshot: async () => await log.snapshot(),
    after: async (position) => {
      reads++;
      return await log.after(position);
    },
    subscribe: () => () => {},
  };
  const guard = makeGuard({ revocations: feed });
  t.after(async () => await guard.close());
  await guard.ready();
  const [hot, cold, gone] = [mint.token(), mint.token(), mint.token({ jti: "gone" })];
  for (const token of [hot, gone]) assert.equal((await guard.validate(token)).status, "valid");
  await clock.advance(1_000);
  await revoke("token", "gone");
  reads = 0;
  const thaw = clock.block(70_000);
  const verdicts = await Promise.all(
    [hot, cold, gone, hot].map(async (token) => await guard.authorize(token, { maxRevocationAgeMs: 5_000 })),
  );
  await thaw;
  assert.deepEqual(
    verdicts.map(({ status }) => status),
    ["valid", "valid", "invalid", "valid"],
  );
  assert.equal(reads, 1);
});

test("fault 73: the wait for an overdue read is bounded, and a failing feed is not awaited", async (t) => {
  const { clock, mint, log, guard: makeGuard } = await makeFixture();
  let answer: "hang" | "fail" | "ok" = "ok";
  const feed: RevocationFeed = {
    snapshot: async () => await log.snapshot(),
    after: async (position) => {
      if (answer === "fail") throw new Error("down");
      if (answer === "hang") await new Promise(() => {});
      return await log.after(position);
    },
    subscribe: () => () => {},
  };
  const guard = makeGuard({ revocations: feed });
  t.after(async () => await guard.close());
  await guard.ready();
  const token = mint.token();
  await guard.validate(token);
  answer = "hang";
  const thaw = clock.block(70_000);
  let verdict: unknown;
  void guard.validate(token).then((said) => (verdict = said));
  await clock.advance(900);
  await thaw;
  assert.equal(verdict, undefined);
  await clock.advance(1_200);
  assert.deepEqual(verdict, { status: "unavailable", cause: "revocations_stale", retryAfterMs: 1_000 });
  answer = "fail";
  await clock.advance(20_000);
  const before = clock.pending;
  assert.equal((await guard.validate(token)).status, "unavailable");
  assert.equal(clock.pending, before, "no timer waits");
});

test("fault 69: a listener of watch that throws or rejects hides nothing from the guard or from other listeners", async (t) => {
  const { mint, clock, guard: makeGuard } = await makeFixture();
  const log = memoryStore({ clock }).revocations;
  const guard = makeGuard({ revocations: log });
  t.after(async () => await guard.close());
  await guard.ready();
  const told: string[] = [];
  guard.watch(() => {
    throw new Error("secret");
  });
  const rejecting: unknown = async () => await Promise.reject(new Error("secret"));
  guard.watch(rejecting as () => void);
  guard.watch(() => void told.push("third"));
  const messages = collectMessages("listener_failed");
  const tokens = ["a", "b"].map((jti) => mint.token({ jti }));
  for (const token of tokens) assert.equal((await guard.validate(token)).status, "valid");
  for (const id of ["a", "b"])
    await log.append({ kind: "token", id, issuer, until: clock.now() + 3_600_000 });
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.deepEqual(told, ["third", "third"]);
  for (const token of tokens) assert.equal((await guard.validate(token)).status, "invalid");
  assert.deepEqual(messages.stop(), ["Error", "Error", "Error", "Error"]);
});
