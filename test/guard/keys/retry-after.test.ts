import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, discovered, jwks, type Fetch } from "../../../src/index.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";
import { audience, issuer } from "../fixture.ts";

const dateIn = (clock: FakeClock, ms: number) => new Date(clock.now() + ms).toUTCString();

for (const [what, header, waitMs] of [
  ["20 seconds", () => "20", 20_000],
  ["a date", (clock: FakeClock) => dateIn(clock, 20_000), 20_000],
  ["a day, bounded to a minute", () => "86400", 60_000],
] as const) {
  for (const [where, makeKeys] of [
    ["key set", (fetch: Fetch) => jwks(`${issuer}/jwks`, { fetch })],
    ["metadata", (fetch: Fetch) => discovered({ fetch })],
  ] as const) {
    test(`fault 26: Retry-After of the ${where} endpoint is followed, as ${what}`, async (t) => {
      const clock = new FakeClock();
      const mint = await createMint({ issuer, audience, clock });
      let requests = 0;
      const fetch: Fetch = () => {
        requests++;
        return new Response(null, { status: 429, headers: { "retry-after": header(clock) } });
      };
      const guard = createGuard({ issuer, audience, clock, random: () => 0.5, keys: makeKeys(fetch) });
      t.after(async () => await guard.close());
      const verdict = await guard.validate(mint.token());
      const atOnce = requests;
      assert.ok(verdict.status === "unavailable" && Math.abs(verdict.retryAfterMs - waitMs) <= 1_000);
      await clock.advance(verdict.retryAfterMs - 1);
      await guard.validate(mint.token());
      assert.equal(requests, atOnce);
      await clock.advance(2_000);
      await guard.validate(mint.token());
      assert.ok(requests > atOnce);
    });
  }
}
