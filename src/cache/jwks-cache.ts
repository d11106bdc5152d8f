import { systemClock, type Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import { prepareJwksKeyring } from "../guard/keys/jwks.ts";
import type { JwksKeyring } from "../guard/keys/jwks-keyring.ts";
import type { JwksOptions } from "../guard/keys/jwks-options.ts";

/**
 * A provider's JWK Set for a library of your own choice, fetched and kept as a guard does it: joined, served while it is
 * refreshed and through an outage, never replaced by one without a usable key.
 */
export class JwksCache {
  readonly #keyring: JwksKeyring;

  constructor(url: string, options: JwksOptions & { clock?: Clock } = {}) {
    const { clock = systemClock, ...rest } = options;
    this.#keyring = prepareJwksKeyring(
      url,
      rest,
    )({
      guard: "jwks-cache",
      issuer: url,
      algorithms: undefined,
      clock,
      random: Math.random,
      snapshots: undefined,
    });
  }

  /** The set as it came. Rejects with `not_ready` while there never was one. */
  async getJwks(): Promise<{ keys: readonly Record<string, unknown>[] }> {
    const document = await this.#keyring.document();
    if (document !== null) return document as { keys: Record<string, unknown>[] };
    const { lastError, coolingDownMs } = this.#keyring.status();
    throw new HoldfastError("not_ready", `there is no key set yet: ${lastError ?? "no answer"}`, {
      retryAfterMs: coolingDownMs,
    });
  }
}
