import fc from "fast-check";
import { CONFLICT_MS, ISSUER, LOST_ANSWER_MS } from "../../src/stores/conformance/constants.ts";
import { acknowledge, present } from "../../src/stores/conformance/fixtures.ts";
import type { Store } from "../../src/stores/store.ts";
import type { FakeClock } from "../../src/testing/fake-clock.ts";

/** A step in the life of the session `s` of the subject `alice`. `back` counts generations before the current one. */
export type Step =
  | { readonly do: "present" | "acknowledge" | "use access token"; readonly back: number }
  | { readonly do: "wait" | "set clock back"; readonly ms: number }
  | { readonly do: "end" | "end all" | "prune" };

/** Sequences of steps that often fall exactly on the end of a period. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: -1, max: 4 }).map((back): Step => ({ do: "present", back })) },
    {
      weight: 5,
      arbitrary: fc
        .tuple(fc.constantFrom("acknowledge", "use access token"), fc.constantFrom(0, 0, 0, 1, -1))
        .map(([what, back]): Step => ({ do: what, back })),
    },
    {
      weight: 4,
      arbitrary: fc
        .constantFrom(
          1,
          1000,
          CONFLICT_MS - 1,
          CONFLICT_MS,
          CONFLICT_MS + 1,
          LOST_ANSWER_MS - 1,
          LOST_ANSWER_MS,
        )
        .map((ms): Step => ({ do: "wait", ms })),
    },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 1, max: 3_600_000 }).map((ms): Step => ({ do: "set clock back", ms })),
    },
    { weight: 2, arbitrary: fc.constantFrom<Step>({ do: "end" }, { do: "end all" }, { do: "prune" }) },
  ),
  { maxLength: 30 },
);

/** Applies one step, and returns what a caller sees of it. */
export async function applyStep(step: Step, store: Store, clock: FakeClock): Promise<unknown> {
  const scope = { issuer: ISSUER, until: clock.now() + 1e9 };
  const session = await store.sessions.get("s");
  switch (step.do) {
    case "present": {
      const { outcome } = await present(store, "s", (session?.generation ?? 1) - step.back);
      return outcome;
    }
    case "acknowledge":
      return await acknowledge(store, "s", (session?.generation ?? 1) - step.back);
    case "use access token":
      return await acknowledge(store, "s", (session?.generation ?? 1) - step.back, null);
    case "wait":
      return await clock.advance(step.ms);
    case "set clock back":
      return clock.setWall(clock.now() - step.ms);
    case "end":
      return await store.sessions.end("s", "logout", { kind: "session", id: "s", ...scope });
    case "end all":
      return await store.sessions.endAll("alice", "logout_all", scope);
    case "prune":
      return await store.prune();
    default:
      throw new Error("no such step");
  }
}
