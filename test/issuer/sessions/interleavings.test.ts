import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TokenResponse } from "../../../src/issuer/types.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { createFixture, logIn, settleOnClock, validateAtIssuer } from "../fixture.ts";
import { wrapStore } from "../stores.ts";
import { examples } from "../../support/examples.ts";

const kinds = [
  "refresh",
  "refresh",
  "replay",
  "log in",
  "end session",
  "end subject",
  "rotate keys",
  "prune",
] as const;
const action = fc.record({ kind: fc.constantFrom(...kinds), pick: fc.nat(), issuer: fc.nat(1) });
/** Outcomes of the calls to the store, in turn. */
const fates = fc.array(fc.constantFrom("fine", "fine", "fine", "late", "fails", "answer lost"), {
  minLength: 1,
});
const round = fc.record({
  actions: fc.array(action, { minLength: 1, maxLength: 5 }),
  fates,
  clockMs: fc.constantFrom(0, 1, 1_000, 20_000, 45_000, -3_600_000),
});

test("laws 3, 8, 12: under concurrency and faults, an ended session stays ended and no refresh token gets two successors", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 12 }), async (rounds) => {
      const clock = new FakeClock();
      const store = memoryStore({ clock });
      let turn = 0;
      let running: readonly string[] = ["fine"];
      const faulty = wrapStore(store, async (_, call) => {
        const fate = running[turn++ % running.length];
        if (fate === "fails") throw new Error("the disk failed");
        if (fate === "late") await new Promise((resolve) => setImmediate(resolve));
        const answer = await call();
        if (fate === "answer lost") throw new Error("gone");
        return answer;
      });
      const issuers = [
        createFixture({ clock, store: faulty }).issuer,
        createFixture({ clock, store: faulty }).issuer,
      ] as const;
      const sound = createFixture({ clock, store }).issuer;
      for (const one of [sound, ...issuers]) await one.ready();

      const sessions = new Map<string, TokenResponse[]>();
      const ended = new Set<string>();
      /** Every refresh token that was issued, by session and generation. */
      const issued = new Map<string, Set<string>>();
      const keep = (tokens: TokenResponse, generation: string) => {
        sessions.set(tokens.session_id, [...(sessions.get(tokens.session_id) ?? []), tokens]);
        issued.set(generation, (issued.get(generation) ?? new Set()).add(tokens.refresh_token));
      };
      const act = async ({ kind, pick, issuer: which }: (typeof rounds)[0]["actions"][0]) => {
        const issuer = issuers[which] ?? sound;
        const chosen = [...sessions.values()][pick % Math.max(1, sessions.size)] ?? [];
        const held = kind === "replay" ? chosen[pick % Math.max(1, chosen.length)] : chosen.at(-1);
        const id = held?.session_id ?? "";
        if (kind === "log in") {
          const outcome = await issuer.login({ username: "ann", password: "password of ann" });
          if (outcome.status === "ok") keep(outcome.tokens, `${outcome.tokens.session_id} first`);
        } else if (kind === "rotate keys") await issuer.keys.rotate();
        else if (kind === "prune") await store.prune();
        else if (kind === "end subject") {
          const before = [...sessions.keys()];
          await issuer.revoke({ kind: "subject", id: "ann" });
          for (const session of before) ended.add(session);
        } else if (held !== undefined && kind === "end session") {
          await issuer.endSession(id);
          ended.add(id);
        } else if (held !== undefined) {
          const outcome = await issuer.refresh(held.refresh_token);
          if (outcome.status === "ok") keep(outcome.tokens, `after ${held.refresh_token}`);
        }
      };

      running = ["fine"];
      keep(await logIn(sound), "first");
      for (const { actions, fates: next, clockMs } of rounds) {
        running = next;
        turn = 0;
        // A rejected action needs no check, because only acknowledged actions count.
        await settleOnClock(clock, Promise.allSettled(actions.map(act)));
        running = ["fine"];
        if (clockMs < 0) clock.setWall(clock.now() + clockMs);
        else await clock.advance(clockMs);
        for (const [id, tokens] of sessions) {
          if (!ended.has(id)) continue;
          for (const one of tokens) {
            assert.equal((await sound.refresh(one.refresh_token)).status, "invalid_grant");
            assert.equal((await validateAtIssuer(sound, one.access_token)).valid, false);
          }
        }
        for (const given of issued.values()) assert.equal(given.size, 1, "one successor");
      }
      for (const one of [sound, ...issuers]) await one.close();
    }),
    { numRuns: examples(80) },
  );
});
