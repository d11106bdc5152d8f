import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GRACE_MS, ISSUER } from "../../src/stores/conformance/constants.ts";
import { logIn, present } from "../../src/stores/conformance/fixtures.ts";
import type { SessionRecord } from "../../src/stores/session-store.ts";
import type { Store } from "../../src/stores/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

type Step =
  | { readonly do: "present"; readonly back: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "set clock back"; readonly ms: number }
  | { readonly do: "end" | "end all" | "prune" };

const presenting = fc.integer({ min: -1, max: 5 }).map((back): Step => ({ do: "present", back }));
const waiting = fc.oneof(
  fc.constantFrom(1, GRACE_MS - 1, GRACE_MS, GRACE_MS + 1).map((ms): Step => ({ do: "wait", ms })),
  fc.integer({ min: 0, max: 3 * GRACE_MS }).map((ms): Step => ({ do: "wait", ms })),
  fc.constant<Step>({ do: "wait", ms: 900_000 }),
);
const pruning = fc.constant<Step>({ do: "prune" });
const ending = fc.constantFrom<Step>({ do: "end" }, { do: "end all" });
const settingBack = fc.integer({ min: 1, max: 3_600_000 }).map((ms): Step => ({ do: "set clock back", ms }));

function sequences(...others: fc.WeightedArbitrary<Step>[]): fc.Arbitrary<Step[]> {
  const usual = [
    { arbitrary: presenting, weight: 12 },
    { arbitrary: waiting, weight: 4 },
    { arbitrary: pruning, weight: 1 },
  ];
  return fc.array(fc.oneof(...usual, ...others), { maxLength: 60 });
}

async function applyStep(
  step: Exclude<Step, { do: "present" }>,
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

/** An independent implementation of the protocol, based only on when each token was first rotated. */
class Model {
  current = 1;
  ended = false;
  idleExpiresAt: number;
  readonly #absoluteExpiresAt: number;
  readonly #rotatedAt = new Map<number, number>();

  constructor(session: SessionRecord) {
    this.idleExpiresAt = session.idleExpiresAt;
    this.#absoluteExpiresAt = session.absoluteExpiresAt;
  }

  present(generation: number, now: number): string {
    if (this.ended || now >= this.idleExpiresAt) return "ended";
    if (generation > this.current) return "unknown";
    if (generation === this.current) {
      this.#rotatedAt.set(generation, now);
      this.current++;
      this.idleExpiresAt = Math.min(now + 1_000_000, this.#absoluteExpiresAt);
      return "rotated";
    }
    const excused = now < (this.#rotatedAt.get(generation) ?? 0) + GRACE_MS;
    if (excused && generation === this.current - 1) return "repeated";
    if (excused && generation === this.current - 2) return "conflict";
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
        const outcome = await present(store, "s", generation);
        assert.equal(outcome.outcome, expected);
        if (expected === "reuse") appended++;
        const after = await sessionOf(store);
        if (["conflict", "ended", "unknown"].includes(expected)) assert.deepEqual(after, before);
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
        if (outcome.outcome === "rotated") {
          assert.ok(!successors.has(generation), "there is only one successor");
          successors.set(generation, `sealed in step ${index}`);
          assert.equal(now.generation, last.generation + 1);
        } else {
          assert.equal(now.generation, last.generation);
        }
        if (outcome.outcome === "repeated") {
          assert.equal(outcome.sealedSuccessor, successors.get(generation));
          assert.equal(generation, last.generation - 1);
          assert.equal(now.graceEndsAt, last.graceEndsAt, "grace is not extended");
        }
        assert.ok(now.issuedAtS >= last.issuedAtS);
        last = now;
      }
      await store.close();
    }),
    { numRuns: 300 },
  );
});
