import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CONFLICT_MS, IDLE_MS, ISSUER, LOST_ANSWER_MS } from "../../src/stores/conformance/constants.ts";
import { acknowledge, logIn, present } from "../../src/stores/conformance/fixtures.ts";
import type { SessionRecord } from "../../src/stores/session-store.ts";
import type { Store } from "../../src/stores/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

type Step =
  | { readonly do: "present"; readonly back: number }
  | { readonly do: "acknowledge"; readonly back: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "set clock back"; readonly ms: number }
  | { readonly do: "end" | "end all" | "prune" };

const presenting = fc.integer({ min: -1, max: 5 }).map((back): Step => ({ do: "present", back }));
const acknowledging = fc.constantFrom(0, 0, 0, 1, -1).map((back): Step => ({ do: "acknowledge", back }));
const boundaries = [CONFLICT_MS, LOST_ANSWER_MS].flatMap((ms) => [ms - 1, ms, ms + 1]);
const waiting = fc.oneof(
  fc.constantFrom(1, ...boundaries).map((ms): Step => ({ do: "wait", ms })),
  fc.integer({ min: 0, max: 3 * CONFLICT_MS }).map((ms): Step => ({ do: "wait", ms })),
  fc.constant<Step>({ do: "wait", ms: 0.9 * IDLE_MS }),
);
const pruning = fc.constant<Step>({ do: "prune" });
const ending = fc.constantFrom<Step>({ do: "end" }, { do: "end all" });
const settingBack = fc.integer({ min: 1, max: 3_600_000 }).map((ms): Step => ({ do: "set clock back", ms }));

function sequences(...others: fc.WeightedArbitrary<Step>[]): fc.Arbitrary<Step[]> {
  const usual = [
    { arbitrary: presenting, weight: 12 },
    { arbitrary: acknowledging, weight: 4 },
    { arbitrary: waiting, weight: 4 },
    { arbitrary: pruning, weight: 1 },
  ];
  return fc.array(fc.oneof(...usual, ...others), { maxLength: 60 });
}

async function applyStep(
  step: Exclude<Step, { do: "present" | "acknowledge" }>,
  store: Store,
  clock: FakeClock,
): Promise<void> {
  const scope = { issuer: ISSUER, until: clock.now() + 1e9 };
  if (step.do === "wait") await clock.advance(step.ms);
  if (step.do === "set clock back") clock.setWall(clock.now() - step.ms);
  if (step.do === "end") await store.sessions.end("s", "logout", { kind: "session", id: "s", ...scope });
  if (step.do === "end all") await store.sessions.endAll("alice", "logout_all", scope);
  if (step.do === "prune") await store.prune();
}

async function sessionOf(store: Store): Promise<SessionRecord> {
  const session = await store.sessions.get("s");
  assert.ok(session);
  return session;
}

/** An independent implementation of the protocol, based only on when each token was rotated and known to have arrived. */
class Model {
  current = 1;
  ended = false;
  idleExpiresAt: number;
  readonly #absoluteExpiresAt: number;
  readonly #rotatedAt = new Map<number, number>();
  readonly #arrivedAt = new Map<number, number>([[1, 0]]);

  constructor(session: SessionRecord) {
    this.idleExpiresAt = session.idleExpiresAt;
    this.#absoluteExpiresAt = session.absoluteExpiresAt;
  }

  isLive(now: number): boolean {
    return !this.ended && now < this.idleExpiresAt;
  }

  acknowledge(generation: number, now: number): string {
    if (!this.isLive(now) || generation !== this.current || this.#arrivedAt.has(generation))
      return "unchanged";
    this.#arrivedAt.set(generation, now);
    return "acknowledged";
  }

  present(generation: number, now: number): string {
    if (!this.isLive(now)) return "ended";
    if (generation >= this.current) {
      if (!this.#arrivedAt.has(generation)) this.#arrivedAt.set(generation, now);
      this.#rotatedAt.set(generation, now);
      const isAhead = generation > this.current;
      this.current = generation + 1;
      this.idleExpiresAt = Math.min(now + IDLE_MS, this.#absoluteExpiresAt);
      return isAhead ? "resumed" : "rotated";
    }
    const behind = this.current - generation;
    const successorArrivedAt = this.#arrivedAt.get(generation + 1);
    if (behind === 1 && successorArrivedAt === undefined) {
      return now < (this.#rotatedAt.get(generation) ?? 0) + LOST_ANSWER_MS ? "repeated" : "late";
    }
    const isRecent = successorArrivedAt !== undefined && now < successorArrivedAt + CONFLICT_MS;
    if (behind <= 2 && isRecent) return "conflict";
    this.ended = true;
    return "reuse";
  }
}

test("law 8: the store answers every sequence of presentations as the protocol requires", async () => {
  await fc.assert(
    fc.asyncProperty(sequences({ arbitrary: ending, weight: 1 }), async (steps) => {
      const clock = new FakeClock();
      const store = memoryStore({ clock });
      const model = new Model(await logIn(store, "s"));
      let appended = 0;
      for (const step of steps) {
        if (step.do === "acknowledge") {
          const generation = model.current - step.back;
          const expected = model.acknowledge(generation, clock.now());
          assert.equal(await acknowledge(store, "s", generation), expected);
          continue;
        }
        if (step.do !== "present") {
          await applyStep(step, store, clock);
          if (step.do === "end" || step.do === "end all") appended++;
          model.ended ||= step.do === "end" || step.do === "end all";
          continue;
        }
        const generation = model.current - step.back;
        if (generation < 1) continue;
        const before = await sessionOf(store);
        const expected = model.present(generation, clock.now());
        const issuedAt = Number.MAX_SAFE_INTEGER;
        const outcome = await present(store, "s", generation, { issuedAt });
        assert.equal(outcome.outcome, expected);
        if (expected === "reuse") appended++;
        const after = await sessionOf(store);
        if (["conflict", "late", "ended"].includes(expected)) assert.deepEqual(after, before);
        assert.equal(after.generation, model.current);
        assert.equal(after.endedAt !== null, model.ended);
        assert.equal((await store.revocations.snapshot()).position.seq, appended);
      }
      await store.close();
    }),
    { numRuns: 300 },
  );
});

test("law 8: a clock that is set back causes no second successor, and revives no ended session", async () => {
  const any = sequences({ arbitrary: ending, weight: 1 }, { arbitrary: settingBack, weight: 3 });
  await fc.assert(
    fc.asyncProperty(any, async (steps) => {
      const clock = new FakeClock();
      const store = memoryStore({ clock });
      let last = await logIn(store, "s");
      const successors = new Map<number, string>();
      for (const [index, step] of steps.entries()) {
        if (step.do === "acknowledge") {
          await acknowledge(store, "s", last.generation - step.back);
          last = await sessionOf(store);
          continue;
        }
        if (step.do !== "present") {
          await applyStep(step, store, clock);
          last = await sessionOf(store);
          continue;
        }
        const generation = last.generation - step.back;
        if (generation < 1) continue;
        const outcome = await present(store, "s", generation, { sealedSuccessor: `sealed in step ${index}` });
        const now = await sessionOf(store);
        if (last.endedAt !== null) assert.equal(outcome.outcome, "ended");
        if (outcome.outcome === "rotated" || outcome.outcome === "resumed") {
          assert.ok(!successors.has(generation), "there is only one successor");
          successors.set(generation, `sealed in step ${index}`);
          assert.equal(now.generation, generation + 1);
        } else {
          assert.equal(now.generation, last.generation);
        }
        if (outcome.outcome === "repeated") {
          assert.equal(outcome.sealedSuccessor, successors.get(generation));
          assert.equal(generation, last.generation - 1);
          assert.equal(now.lostAnswerEndsAt, last.lostAnswerEndsAt, "the time is not extended");
        }
        assert.ok(now.issuedAtS >= last.issuedAtS);
        last = now;
      }
      await store.close();
    }),
    { numRuns: 300 },
  );
});
