import assert from "node:assert/strict";
import { guardEvents } from "../../src/core/event-channels.ts";
import type { GuardEvent } from "../../src/core/events.ts";
import type { Revocation } from "../../src/core/revocation.ts";
import { createGuard, staticKeys, type Guard, type KeySource } from "../../src/index.ts";
import type { TrustedIssuerStatus } from "../../src/guard/status-types.ts";
import type { SingleIssuerOptions } from "../../src/guard/types.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { RevocationLog } from "../../src/stores/store.ts";
import { createMint, FakeClock, type Mint } from "../../src/testing/index.ts";

export const issuer = "https://id.example";
export const audience = "https://api.example";

export interface Fixture {
  readonly clock: FakeClock;
  readonly mint: Mint;
  readonly log: RevocationLog;
  /** Makes a guard for the mint's tokens, on the same clock. `options` replace the defaults. */
  readonly guard: (options?: Partial<SingleIssuerOptions>) => Guard;
  readonly revoke: (kind: "token" | "session" | "key", id: string) => Promise<void>;
  readonly revokeSubject: (id: string) => Promise<void>;
}

export async function makeFixture(): Promise<Fixture> {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const log = memoryStore({ clock }).revocations;
  const until = () => clock.now() + 3_600_000;
  const append = async (revocation: Revocation) => void (await log.append(revocation));
  return {
    clock,
    mint,
    log,
    guard: (options = {}) =>
      createGuard({ issuer, audience, keys: staticKeys(mint.jwks()), clock, random: () => 0.5, ...options }),
    revoke: async (kind, id) => await append({ kind, id, issuer, until: until() }),
    revokeSubject: async (id) => await append({ kind: "subject", id, before: 0, issuer, until: until() }),
  };
}

/** Collects the messages of one guard event until `stop` is called. */
export function collectMessages(event: GuardEvent["event"]): { stop: () => string[] } {
  const messages: string[] = [];
  const listen = (published: unknown) => {
    const said = published as GuardEvent;
    if (said.event === event) messages.push(said.message);
  };
  guardEvents.subscribe(listen);
  return {
    stop: () => {
      guardEvents.unsubscribe(listen);
      return messages;
    },
  };
}

/** The status of a guard's only issuer. */
export function onlyIssuer(guard: Pick<Guard, "status">): TrustedIssuerStatus {
  const [only] = guard.status().issuers;
  assert.ok(only !== undefined);
  return only;
}

/** A key source that counts its look-ups. */
export function countLookups(source: KeySource): {
  keys: KeySource;
  lookups: () => number;
} {
  let lookups = 0;
  return {
    lookups: () => lookups,
    keys: {
      kind: source.kind,
      open(context) {
        const keyring = source.open(context);
        return {
          algorithms: keyring.algorithms,
          get epoch() {
            return keyring.epoch;
          },
          mayHaveOthers: (kid, algorithm) => keyring.mayHaveOthers(kid, algorithm),
          get version() {
            return keyring.version;
          },
          find(kid, algorithm) {
            lookups++;
            return keyring.find(kid, algorithm);
          },
          mayHaveUnfetched: (kid) => keyring.mayHaveUnfetched(kid),
          refreshAfterBadSignature: () => keyring.refreshAfterBadSignature(),
          resolve: async (...asked) => await keyring.resolve(...asked),
          isInForce: (key) => keyring.isInForce(key),
          hasVanished: (key) => keyring.hasVanished(key),
          distrust: () => keyring.distrust(),
          status: () => keyring.status(),
          ready: async (signal) => await keyring.ready(signal),
          close: () => keyring.close(),
        };
      },
    },
  };
}
