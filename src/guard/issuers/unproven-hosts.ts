import { HoldfastError } from "../../core/errors.ts";
import type { HostLimits, HostRequests } from "../keys/host-limits.ts";

/** Whether an issuer has proved itself, and what ends one that has not. */
export interface Probation {
  /** Whether a key of the issuer has verified a token. */
  readonly isProven: boolean;
  /** Whether the issuer has had enough time to prove itself. */
  isOver(): boolean;
  end(): void;
}

/**
 * The limits by host of an issuer that anyone may have made up. Until one of its keys has verified a token, its requests
 * use separate places, and a `Retry-After` counts for such issuers only. After its time the next attempt closes the
 * issuer. Without that, the guard would ask a provider for made-up tenants for ever.
 */
export class UnprovenHosts implements HostRequests {
  readonly #probation: Probation;
  readonly #known: HostLimits;
  readonly #unproven: HostLimits;

  constructor(probation: Probation, known: HostLimits, unproven: HostLimits) {
    this.#probation = probation;
    this.#known = known;
    this.#unproven = unproven;
  }

  async run<T>(url: string, timeoutMs: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    if (!this.#probation.isProven && this.#probation.isOver()) {
      this.#probation.end();
      throw new HoldfastError("closed", "the issuer was closed, because no token of it was verified");
    }
    return await this.#current.run(url, timeoutMs, signal, attempt);
  }

  throwIfPaused(url: string): void {
    this.#known.throwIfPaused(url);
    this.#current.throwIfPaused(url);
  }

  recordAnswer(url: string, status: number, retryAfterMs: number): void {
    this.#current.recordAnswer(url, status, retryAfterMs);
  }

  get #current(): HostLimits {
    return this.#probation.isProven ? this.#known : this.#unproven;
  }
}
