import { isPrivateAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { issuerEvents } from "../../core/event-channels.ts";
import type { ComponentFinding } from "./service-health.ts";

/** A question to `/verify` counts for this long. The event is published at most once in this time. */
const WINDOW_MS = 60_000;

/**
 * Notices a proxy that asks `/verify` and is missing in `HOLDFAST_TRUSTED_PROXIES`. The proxy drops the reason of the
 * 403, so only the service can tell it. A peer of the internet is no proxy of this service and does not count.
 */
export class ProxyMonitor {
  readonly #issuer: string;
  readonly #clock: Clock;
  /** Times of the monotonic clock. */
  #trustedAt = -Infinity;
  #refusedAt = -Infinity;
  #publishedAt = -Infinity;
  #refusedPeer = "";

  constructor(issuer: string, clock: Clock) {
    this.#issuer = issuer;
    this.#clock = clock;
  }

  /** Counts a question to `/verify` under a policy. */
  record(peer: string | undefined, isTrusted: boolean): void {
    const now = this.#clock.monotonic();
    if (isTrusted) {
      this.#trustedAt = now;
      return;
    }
    if (peer === undefined || !isPrivateAddress(peer)) return;
    this.#refusedAt = now;
    this.#refusedPeer = peer;
    if (now - this.#publishedAt < WINDOW_MS) return;
    this.#publishedAt = now;
    const message = `${peer} asks /verify and is not in HOLDFAST_TRUSTED_PROXIES: it gets 403 for every request`;
    issuerEvents.publish({ issuer: this.#issuer, event: "proxy_not_trusted", message });
  }

  /** One trusted proxy that asks is enough: the other peer may be a stranger inside the network. */
  finding(hasProvider: boolean): ComponentFinding {
    const now = this.#clock.monotonic();
    const isRefusing = now - this.#refusedAt < WINDOW_MS && now - this.#trustedAt >= WINDOW_MS;
    if (!isRefusing)
      return { status: "ok", reason: null, detail: "refuses no proxy as a stranger", outcomes: {} };
    return {
      status: "degraded",
      reason: "proxy_not_trusted",
      detail: `${this.#refusedPeer} asks /verify and is not in HOLDFAST_TRUSTED_PROXIES`,
      outcomes: { ownTokens: "degraded", ...(hasProvider && { providerTokens: "degraded" }) },
    };
  }
}
