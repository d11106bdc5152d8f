import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jwks } from "../../../src/index.ts";
import type { Keyring } from "../../../src/guard/keys/key-source.ts";
import type { VerificationKey } from "../../../src/jwt/jwk-set.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { audience, issuer } from "../fixture.ts";
import { FakeKeyEndpoint } from "./provider.ts";
import { fakeSnapshots, openKeyring, findSigner } from "./fixture.ts";
import { examples } from "../../support/examples.ts";

const minute = 60_000;
const maxStaleMs = 60 * minute;
const vanishedMs = 20 * minute;
const settings = { freshMs: 10 * minute, maxStaleMs, vanishedMs };

const mints: Mint[] = [];
for (const algorithm of ["ES256", "ES256", "EdDSA"] as const) {
  mints.push(await createMint({ issuer, audience, algorithm, lifetimeMs: 1e12 }));
}

type Step =
  /** The provider publishes the keys of these mints, unless it is down. */
  | { readonly do: "publish"; readonly mints: readonly number[] }
  | { readonly do: "fail" | "recover" | "restart" | "distrust" }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "ask"; readonly mint: number; readonly named: boolean };

const mintNumber = fc.nat({ max: mints.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("publish" as const), mints: fc.uniqueArray(mintNumber) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("fail", "recover", "recover", "restart", "distrust") }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat({ max: 45 * minute }) }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("ask" as const), mint: mintNumber, named: fc.boolean() }),
  },
);

interface Verification {
  readonly key: VerificationKey;
  readonly mint: number;
  readonly keyring: Keyring;
}

/** Predicts what a keyring may verify, without any of its parts. */
class Model {
  readonly clock: FakeClock = new FakeClock();
  readonly #provider = new FakeKeyEndpoint({ keys: [] });
  readonly #snapshots = fakeSnapshots();
  #published = new Set<number>();
  #up = true;
  #keyring = this.#open();
  /** When the provider last served each key. `#fetchedAt` is when it last served a usable set. */
  readonly #served = new Map<number, number>();
  #fetchedAt = -Infinity;
  #distrustedAt = -Infinity;
  #verifications: Verification[] = [];

  async take(one: Step): Promise<void> {
    switch (one.do) {
      case "publish":
        this.#published = new Set(one.mints);
        break;
      case "fail":
      case "recover":
        this.#up = one.do === "recover";
        break;
      case "restart":
        await this.#keyring.close();
        this.#keyring = this.#open();
        break;
      case "distrust":
        this.#distrustedAt = this.clock.now();
        this.#verifications = [];
        this.#keyring.distrust();
        assert.equal(this.#keyring.status().usable, false);
        break;
      case "wait":
        await this.clock.advance(one.ms);
        break;
      case "ask":
        await this.#ask(one.mint, one.named);
    }
    this.#check();
  }

  async end(): Promise<void> {
    await this.#keyring.close();
    await this.clock.advance(0);
    assert.equal(this.clock.pending, 0);
  }

  #open(): Keyring {
    this.#provider.answer = () => this.#answer();
    const source = jwks("https://id.example/keys", { ...settings, fetch: this.#provider.fetch });
    return openKeyring(source, { clock: this.clock, snapshots: this.#snapshots });
  }

  #answer(): Response {
    if (!this.#up) return new Response("down", { status: 503 });
    if (this.#published.size > 0) this.#fetchedAt = this.clock.now();
    for (const mint of this.#published) this.#served.set(mint, this.clock.now());
    return Response.json({ keys: [...this.#published].flatMap((mint) => mints[mint]?.jwks().keys ?? []) });
  }

  async #ask(mint: number, named: boolean): Promise<void> {
    const token = mints[mint]?.token({}, named ? {} : { kid: undefined }) ?? "";
    const found = await findSigner(this.#keyring, token);
    if (!("status" in found)) {
      // Only keys of the last set verify further tokens.
      assert.equal(this.#served.get(mint), this.#fetchedAt, "verified by a key that the last set lacks");
      assert.ok(this.clock.now() - this.#fetchedAt < maxStaleMs, "verified by a set that is too old");
      assert.ok(this.#fetchedAt >= this.#distrustedAt, "verified by a key that was distrusted");
      this.#verifications.push({ key: found, mint, keyring: this.#keyring });
    } else if (found.status === "invalid") {
      // Law 1: only a set that was requested just now makes a token invalid, never an outage.
      assert.notEqual(this.#served.get(mint), this.#fetchedAt, "invalid although the last set has its key");
      assert.ok(this.clock.now() - this.#fetchedAt < 30_000, "invalid because of a set from some time ago");
    } else {
      assert.ok(found.retryAfterMs > 0);
    }
  }

  /** Verifications count as long as their key is in the last set or left it not too long ago, and no longer. */
  #check(): void {
    const now = this.clock.now();
    for (const { key, mint, keyring } of this.#verifications) {
      if (keyring !== this.#keyring) continue;
      const isIn = this.#served.get(mint) === this.#fetchedAt;
      const tooOld = now - this.#fetchedAt >= maxStaleMs;
      const held = keyring.isInForce(key);
      if (tooOld) assert.ok(!held, "a key of a set that is too old is in force");
      if (isIn && !tooOld && !keyring.hasVanished(key)) continue;
      // The next set follows the last one with this key within maxStaleMs.
      const goneMs = now - (this.#served.get(mint) ?? -Infinity);
      if (goneMs >= maxStaleMs + vanishedMs) assert.ok(!held, "a key that vanished long ago is in force");
      if (held && !isIn)
        assert.ok(
          keyring.hasVanished(key),
          "a key that left the set is in force but not reported as vanished",
        );
    }
  }
}

test("law 1: whatever a provider publishes and however it fails, no good token is invalid and no key is used too long", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const model = new Model();
      for (const one of steps) await model.take(one);
      await model.end();
    }),
    { numRuns: examples(150), seed: 28 },
  );
});
