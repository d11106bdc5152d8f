import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issuer } from "../../src/issuer/types.ts";
import { createFixture, logIn, validateAtIssuer } from "../issuer/fixture.ts";
import { failStore } from "../issuer/stores.ts";

const LOST_ANSWER_MS = 30_000;
/** The most consecutive losses. */
const MAX_LOST = 4;

const losses = ["on the way there", "before the store", "after the store", "on the way back"] as const;
type Loss = (typeof losses)[number];

/** Yields every sequence of up to `most` losses. */
function* patterns(most: number): Generator<readonly Loss[]> {
  yield [];
  if (most === 0) return;
  for (const rest of patterns(most - 1)) for (const loss of losses) yield [loss, ...rest];
}

/** Where the client waits longest. The last attempt always falls into the last millisecond of `lostAnswerMs`. */
const longest = ["first", "last", "evenly"] as const;

function waits(attempts: number, where: (typeof longest)[number]): number[] {
  const total = LOST_ANSWER_MS - 1;
  if (where === "evenly") return Array.from({ length: attempts }, () => Math.floor(total / attempts));
  const at = where === "first" ? 0 : attempts - 1;
  return Array.from({ length: attempts }, (_, i) => (i === at ? total : 0));
}

test(`law 8, fault 44: retries within lostAnswerMs keep the client logged in through up to ${MAX_LOST} consecutive losses of any kind`, async () => {
  let loss: Loss | null = null as Loss | null;
  const { clock, store } = createFixture();
  const faulty = failStore(store, (name) => {
    if (name !== "sessions.rotate") return false;
    return loss === "before the store" ? "before" : loss === "after the store" && "after";
  });
  const issuers = [1, 2].map(
    () => createFixture({ clock, store: faulty, lostAnswerMs: LOST_ANSWER_MS }).issuer,
  );
  const [one, other] = issuers as [Issuer, Issuer];
  for (const [number, pattern] of [...patterns(MAX_LOST)].entries()) {
    const first = await logIn(one);
    const where = longest[number % longest.length] ?? "evenly";
    const pauses = waits(pattern.length, where);
    for (const [i, lost] of pattern.entries()) {
      loss = lost;
      if (lost !== "on the way there") {
        const { status } = await (i % 2 === 0 ? one : other).refresh(first.refresh_token);
        assert.equal(status, lost === "on the way back" ? "ok" : "unavailable");
      }
      await clock.advance(pauses[i] ?? 0);
    }
    loss = null;
    const second = await other.refresh(first.refresh_token);
    assert.ok(second.status === "ok", `lost ${pattern.join(", ")}, waited longest: ${where}`);
    assert.equal((await validateAtIssuer(one, second.tokens.access_token)).valid, true);
    assert.equal((await one.refresh(second.tokens.refresh_token)).status, "ok");
  }
  for (const issuer of issuers) await issuer.close();
});
