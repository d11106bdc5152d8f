import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import type { IssuerBase } from "../issuer-base.ts";

/** Names the marker with the fingerprint of the secret under which records are sealed now. */
export const SECRET_MARKER = "secret";

/** Returns the error that tells that another process has put a secret first which this process does not know, or `null`. */
async function findReplacement({ store, secrets }: IssuerBase): Promise<HoldfastError | null> {
  const current = await store.markers.read(SECRET_MARKER);
  if (current === null || secrets.some(({ fingerprint }) => fingerprint === current)) return null;
  const message = `another process has replaced the secret of the store (${store.description}): restart this one with the new secret, too`;
  return new HoldfastError("store_mismatch", message);
}

/**
 * Rejects with `store_mismatch` when another process has replaced the secret by one that this process does not know. A
 * record that does not verify then proves no tampering.
 */
export async function rejectIfSecretReplaced(base: IssuerBase): Promise<void> {
  const replacement = await findReplacement(base);
  if (replacement !== null) throw replacement;
}

/** The least time between two reads of the marker. Anybody can present a text that no secret verifies. */
const CHECK_INTERVAL_MS = 1_000;

/** Remembers whether another process has replaced the secret, and reads the marker at most once per interval (law 6). */
export class SecretCheck {
  readonly #base: IssuerBase;
  readonly #reading = new SingleFlight<"marker", void>();
  #startedAt: Instant | null = null;
  /** Why the last read rejected. */
  #failure: unknown = null;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** Rejects as `rejectIfSecretReplaced` does, and when the last read of the marker failed (law 1). */
  async rejectIfReplaced(): Promise<void> {
    await this.#reading.run("marker", async () => await this.#readIfDue());
    if (this.#failure !== null) throw this.#failure;
  }

  async #readIfDue(): Promise<void> {
    const { clock } = this.#base;
    if (this.#startedAt !== null && elapsedMs(clock, this.#startedAt) < CHECK_INTERVAL_MS) return;
    this.#startedAt = readClock(clock);
    this.#failure = await findReplacement(this.#base).catch((error: unknown) => error);
  }
}
