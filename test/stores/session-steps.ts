import fc from "fast-check";
import { GRACE_MS, ISSUER } from "../../src/stores/conformance/constants.ts";
import { present } from "../../src/stores/conformance/fixtures.ts";
import type { Store } from "../../src/stores/store.ts";
import type { FakeClock } from "../../src/testing/fake-clock.ts";

/** A step in the life of the session `s` of the subject `alice`. `back` counts generations before the current one. */
export type Step =
  | { readonly do: "present"; readonly back: number }
  | { readonly do: "wait" | "set clock back"; readonly ms: number }
  | { readonly do: "end" | "end all" | "prune" };

/** Sequences of steps that often fall exactly on the end of a grace period. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: -1, max: 4 }).map((back): Step => ({ do: "present", back })) },
    {
      weight: 4,
      arbitrary: fc
        .constantFrom(1, 1000, GRACE_MS - 1, GRACE_MS, GRACE_MS + 1, 900_000)
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
