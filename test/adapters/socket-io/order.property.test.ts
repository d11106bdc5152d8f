import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { connectOutcome, settle, echoEvents, setUp } from "./fixture.ts";
import { examples } from "../../support/examples.ts";

/** The events of a history. Tokens live 10 s, and the authority answers late. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: "say" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("refresh" as const), good: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: "hang" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "answer" as const }) },
);

test("law 2, fault 48: in every history packets are delivered in order and without a gap, and all of them while the socket is open", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
      const fixture = await setUp(t, { hasAuthority: true, lifetimeMs: 10_000 });
      const { client, provider, clock, connections } = fixture;
      const received = echoEvents(fixture, { degraded: "deny" });
      const alice = client({ token: provider.token({ sub: "alice" }) });
      let endsAt = clock.now() + 16_000; // The tolerance of 5 s is included, and a second for rounding.
      alice.on("auth.ok", ({ expires_in }: { expires_in: number }) => {
        endsAt = clock.now() + expires_in * 1000 + 6_000;
      });
      await connectOutcome(alice);
      let said = 0;
      for (const one of steps) {
        const before = received.length;
        const isOver = clock.now() > endsAt;
        if (one.do === "say") alice.emit("say", said++);
        if (one.do === "refresh")
          alice.emit("auth.token", one.good ? provider.token({ sub: "alice" }) : "nonsense");
        if (one.do === "hang") provider.fault("introspection", { hang: true });
        if (one.do === "answer") provider.restore();
        if (one.do === "pass") await clock.advance(one.ms);
        await settle(alice);
        if (isOver && one.do === "say") assert.equal(received.length, before);
      }
      provider.restore();
      await settle(alice);
      const all = Array.from({ length: said }, (_, i) => i);
      assert.deepEqual(received, all.slice(0, received.length));
      if (connections.status().open === 1) assert.deepEqual(received, all);
      await fixture.close();
      assert.equal(connections.status().open, 0);
    }),
    { numRuns: examples(100) },
  );
});
