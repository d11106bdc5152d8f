import { test } from "node:test";
import fc from "fast-check";
import { histories } from "./commands.ts";
import { runHistory } from "./run-history.ts";

test("laws 1, 3, 5, 8, 12: every invariant of sessions holds in every history", async () => {
  const any = fc.asyncProperty(fc.scheduler(), histories, async (scheduler, history) => {
    await runHistory({ scheduler }, history);
  });
  await fc.assert(any, { numRuns: 50 });
});

test("laws 3, 12: every invariant holds with the issuer's own users, whose passwords take time to check", async () => {
  const any = fc.asyncProperty(fc.scheduler(), histories, async (scheduler, history) => {
    await runHistory({ scheduler, builtInUsers: true }, history);
  });
  await fc.assert(any, { numRuns: 6 });
});
