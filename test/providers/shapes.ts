import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, type GuardOptions, type InvalidReason } from "../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../src/testing/index.ts";

type Claims = Readonly<Record<string, unknown>>;

/** A token as the provider documents it, and the decision that users of the preset expect. */
export interface Shape {
  readonly what: string;
  /** Members that differ from the usual token. `undefined` removes one. */
  readonly claims?: Claims;
  readonly header?: Claims;
  readonly wanted: "valid" | InvalidReason;
  /** What the verdict must say about a valid token. */
  readonly says?: {
    readonly subject?: string;
    readonly scopes?: readonly string[];
    readonly sessionId?: string;
  };
  /** The options of the preset, where they differ from the usual ones. */
  readonly options?: GuardOptions;
}

export interface Provider {
  readonly name: string;
  readonly options: GuardOptions;
  /** Where the provider publishes its keys. The keys of no other address verify the tokens. */
  readonly keysUrls: readonly string[];
  /** The usual access token. */
  readonly token: Claims;
  readonly header?: Claims;
}

const clock = new FakeClock();
/** One key for all tokens, because the keys of a provider do not tell its tokens apart. */
const mint: Mint = await createMint({ issuer: "unused", audience: "unused", algorithm: "RS256", clock });

export function usualTimes(): { iat: number; auth_time: number; exp: number } {
  const iat = Math.floor(clock.now() / 1000);
  return { iat, auth_time: iat - 60, exp: iat + 600 };
}

/** Declares a test for each shape. The guard fetches the keys at the address that the preset names. */
export function testShapes(provider: Provider, shapes: readonly Shape[]): void {
  for (const { what, claims, header, wanted, says, options = provider.options } of shapes) {
    test(`${provider.name}: ${what} is ${wanted}`, async (t) => {
      const asked: string[] = [];
      t.mock.method(globalThis, "fetch", async (url: string) => {
        asked.push(url);
        return provider.keysUrls.includes(url)
          ? Response.json(mint.jwks())
          : new Response(null, { status: 404 });
      });
      const guard = createGuard({ ...options, clock, warnings: false });
      t.after(async () => await guard.close());
      const all = { jti: undefined, aud: undefined, ...usualTimes(), ...provider.token, ...claims };
      const verdict = await guard.validate(mint.token(all, { typ: "JWT", ...provider.header, ...header }));
      const said = "reason" in verdict ? verdict.reason : "cause" in verdict ? verdict.cause : verdict.status;
      assert.equal(said, wanted);
      for (const url of asked) assert.ok(provider.keysUrls.includes(url), url);
      if (verdict.status !== "valid") return;
      const { subject, scopes, sessionId } = verdict;
      const facts = { subject, scopes, sessionId };
      for (const [name, value] of Object.entries(says ?? {}))
        assert.deepEqual(facts[name as keyof typeof facts], value);
    });
  }
}

/** Declares a test that each malformed set of options is refused by name. */
export function testOptions(
  name: string,
  preset: (options: never) => unknown,
  wrong: readonly [options: object, message: RegExp][],
): void {
  test(`${name} refuses malformed options by name`, () => {
    for (const [options, message] of wrong) {
      assert.throws(() => preset(options as never), { code: "invalid_option", message });
    }
  });
}

/** A back-channel logout token, as OpenID Connect Back-Channel Logout §2.4 describes it. */
export const logoutEvents = { "http://schemas.openid.net/event/backchannel-logout": {} };
