import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issuer } from "../../src/issuer/types.ts";
import { createFixture, logIn, validateAtIssuer } from "../issuer/fixture.ts";
import { failStore } from "../issuer/stores.ts";

const GRACE_MS = 30_000;
/** In a row. */
const MOST_LOST = 4;

const losses = ["on the way there", "before the store", "after the store", "on the way back"] as const;
type Loss = (typeof losses)[number];

/** Every way in which up to `most` tries can be lost one after the other. */
function* patterns(most: number): Generator<readonly Loss[]> {
  yield [];
  if (most === 0) return;
  for (const rest of patterns(most - 1)) for (const loss of losses) yield [loss, ...rest];
}

/** Where the client waits longest; the last try is always made within the last milliseconds of grace. */
const longest = ["first", "last", "evenly"] as const;

function waits(tries: number, where: (typeof longest)[number]): number[] {
  const total = GRACE_MS - 1;
  if (where === "evenly") return Array.from({ length: tries }, () => Math.floor(total / tries));
  const at = where === "first" ? 0 : tries - 1;
  return Array.from({ length: tries }, (_, i) => (i === at ? total : 0));
}

test(`law 8, fault 44: whichever of up to ${MOST_LOST} answers in a row are lost and how, retries within grace keep the client logged in`, async () => {
  let loss: Loss | null = null as Loss | null;
  const { clock, store } = createFixture();
  const faulty = failStore(store, (name) => {
    if (name !== "sessions.rotate") return false;
    return loss === "before the store" ? "before" : loss === "after the store" && "after";
  });
  const issuers = [1, 2].map(() => createFixture({ clock, store: faulty, graceMs: GRACE_MS }).issuer);
  const [one, other] = issuers as [Issuer, Issuer];
  for (const [number, pattern] of [...patterns(MOST_LOST)].entries()) {
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
