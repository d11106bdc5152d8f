import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { memoryStore } from "../../../src/stores/memory.ts";
import { hour, makeFixture, minute } from "./fixture.ts";
import { examples } from "../../support/examples.ts";

const modes = ["deny", "cached", "local"] as const;
const TOLERANCE_MS = 5_000;
const MAX_MS = 20 * minute;

/** The test's own record of a token, independent of the guard. */
interface Subject {
  readonly id: string;
  readonly token: string;
  readonly isOpaque: boolean;
  readonly endsAt: number;
  isRevokedAtProvider: boolean;
  isRevokedInLog: boolean;
  /** The guard has answered `revoked`. */
  isKnownRevoked: boolean;
  hadYes: boolean;
  /** When the token was first accepted in degraded mode since the last full answer. `null` when it was not. */
  degradedAt: number | null;
}

const which = fc.nat(5);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("validate" as const), which, route: fc.constantFrom(...modes) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 8 * minute }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("out" as const, "back" as const, "hang" as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("end at provider" as const, "end in log" as const), which }),
  },
);

for (const mode of modes) {
  test(`law 10: in mode ${mode} no sequence of events lets a wrong token pass, and the guard recovers`, async (t) => {
    const steps = fc.array(step, { minLength: 20, maxLength: 80 });
    const property = fc.asyncProperty(steps, async (events) => {
      const { guard, provider, clock } = await makeFixture(t);
      const { revocations } = memoryStore({ clock });
      // The memory store notifies the guard at once.
      const log = { revocations, revocationPollMs: 30_000 };
      const g = guard({ degraded: { mode, maxMs: MAX_MS }, clockToleranceMs: TOLERANCE_MS, ...log });
      await g.ready();
      const subjects = [20, 60, 24 * 60, 24 * 60, 60, 24 * 60].map((minutes, i): Subject => {
        const exp = clock.now() / 1000 + minutes * 60;
        const claims = { exp, sid: `s${i}`, scope: "read" };
        return {
          id: `s${i}`,
          token: i < 4 ? provider.token(claims) : provider.opaqueToken(claims),
          isOpaque: i >= 4,
          endsAt: exp * 1000 + TOLERANCE_MS,
          isRevokedAtProvider: false,
          isRevokedInLog: false,
          isKnownRevoked: false,
          hadYes: false,
          degradedAt: null,
        };
      });
      const validate = async (one: Subject, route: (typeof modes)[number]) => {
        const call = g.authorize(one.token, { degraded: route });
        await clock.advance(2_000);
        const verdict = await call;
        const over = clock.now() >= one.endsAt;
        if (verdict.status === "valid") {
          assert.ok(!over, "no token is valid past its expiry");
          assert.ok(!one.isRevokedInLog, "no token is valid that the log revoked");
          assert.ok(!one.isKnownRevoked, "no token is valid that was refused");
          if (verdict.degraded === null) {
            assert.equal(verdict.basis, "authority");
            one.degradedAt = null;
            one.hadYes = true;
            return;
          }
          const allowed = modes[Math.min(modes.indexOf(mode), modes.indexOf(route))];
          assert.notEqual(allowed, "deny");
          assert.ok(one.hadYes || (allowed === "local" && !one.isOpaque), "the mode allows the token");
          one.degradedAt ??= clock.now();
          assert.ok(verdict.degraded.sinceMs <= MAX_MS && clock.now() - one.degradedAt <= MAX_MS + 2_000);
        } else if (verdict.status === "invalid") {
          const isRevoked = one.isRevokedAtProvider || one.isRevokedInLog;
          // The provider calls an expired token inactive earlier than the guard, by the tolerance at most.
          const isPast = clock.now() >= one.endsAt - TOLERANCE_MS;
          assert.ok(verdict.reason === "expired" ? isPast : isRevoked || isPast, verdict.reason);
          if (verdict.reason === "revoked") one.isKnownRevoked = true;
        } else {
          assert.ok(verdict.status === "unavailable" && verdict.retryAfterMs > 0);
        }
      };
      for (const next of events) {
        const one = subjects["which" in next ? next.which : 0] as Subject;
        if (next.do === "validate") await validate(one, next.route);
        else if (next.do === "pass") await clock.advance(next.ms);
        else if (next.do === "out") provider.fault("introspection", { refuse: true });
        else if (next.do === "hang") provider.fault("introspection", { hang: true });
        else if (next.do === "back") provider.restore();
        else if (next.do === "end at provider") {
          provider.revoke(one.token);
          one.isRevokedAtProvider = true;
        } else {
          const until = Math.ceil(clock.now()) + 25 * hour;
          await revocations.append({ kind: "session", id: one.id, issuer: provider.issuer, until });
          one.isRevokedInLog = true;
        }
      }
      // After the last fault every good token is valid, and every other token is invalid.
      provider.restore();
      await clock.advance(minute);
      for (const one of subjects) {
        await clock.advance(5 * minute);
        const call = g.validate(one.token);
        await clock.advance(2_000);
        const verdict = await call;
        const isGood =
          !one.isRevokedAtProvider && !one.isRevokedInLog && clock.now() < one.endsAt - TOLERANCE_MS;
        assert.equal(verdict.status, isGood ? "valid" : "invalid");
        assert.ok(verdict.status !== "valid" || verdict.degraded === null);
      }
      await g.close();
    });
    await fc.assert(property, { numRuns: examples(40), seed: 20_300_101 });
  });
}
