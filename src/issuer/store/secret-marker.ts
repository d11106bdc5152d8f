import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { findUnknownSecrets, forgetUnknownSecrets } from "./secrets-in-use.ts";

/** Names the marker with the fingerprint of the secret under which keys and users are sealed now. */
export const SECRET_MARKER = "secret";

/** Returns the error that tells which secret this process lacks. `null` when it knows every secret. */
async function findMismatch(base: IssuerBase): Promise<HoldfastError | null> {
  const replaced = await findReplacement(base);
  if (replaced !== null) return replaced;
  const unknown = await findUnknownSecrets(base);
  if (unknown.length === 0) return null;
  const until = new Date(Math.max(...unknown.map((one) => one.until))).toISOString();
  const message =
    `the store (${base.store.description}) has sessions or users under a secret that this process lacks: keep that ` +
    `secret in the list until ${until}, or refuse its tokens for good with holdfast secret forget`;
  return new HoldfastError("store_mismatch", message);
}

/** The process is out of date: keys and users are sealed under a secret that it lacks. */
async function findReplacement({ store, secrets }: IssuerBase): Promise<HoldfastError | null> {
  const current = await store.markers.read(SECRET_MARKER);
  if (current === null || secrets.some(({ fingerprint }) => fingerprint === current)) return null;
  const message = `another process has replaced the secret of the store (${store.description}): restart this one with the new secret, too`;
  return new HoldfastError("store_mismatch", message);
}

/**
 * Rejects with `store_mismatch` when the store may have records under a secret that this process does not know. A record
 * that does not verify then proves no tampering.
 */
export async function rejectIfSecretReplaced(base: IssuerBase): Promise<void> {
  const mismatch = await findMismatch(base);
  if (mismatch !== null) throw mismatch;
}

/**
 * Declares that the secrets which this process lacks are no longer used. Their refresh tokens are refused from now
 * on, and their records count as tampered with. Returns how many there were. Rejects with
 * `store_mismatch` when this process is the one whose secret was replaced.
 */
export async function forgetSecrets(base: IssuerBase): Promise<number> {
  const replaced = await findReplacement(base);
  if (replaced !== null) throw replaced;
  const forgotten = await forgetUnknownSecrets(base);
  if (forgotten > 0) await base.audit("secrets_forgotten", { detail: `secrets: ${forgotten}` });
  return forgotten;
}

/** A stranger can present texts that no secret verifies, so these texts read the store this often at most (law 6). */
const MAX_READS_PER_SECOND = 10;

/** Knows whether the store has secrets that this process lacks. */
export class SecretCheck {
  readonly #base: IssuerBase;
  #countedFrom: Instant | null = null;
  #reads = 0;
  /** The newest read. It resolves with the reason for a rejection, or with `null`. */
  #newest: Promise<unknown> = Promise.resolve(null);
  #problem: string | null = null;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** The message of the last mismatch. `null` when this process knows all of them. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Looks again. A failure of the store changes nothing. */
  async check(): Promise<void> {
    await this.#read();
  }

  /** Rejects as `rejectIfSecretReplaced` does, and when the last read of the store failed (law 1). */
  async rejectIfReplaced(): Promise<void> {
    // A text past the bound is judged by the last read, which began less than a second ago.
    if (this.#mayRead()) this.#newest = this.#read();
    const failure = await this.#newest;
    if (failure !== null) throw failure;
  }

  #mayRead(): boolean {
    const { clock } = this.#base;
    if (this.#countedFrom === null || elapsedMs(clock, this.#countedFrom) >= 1_000) {
      this.#countedFrom = readClock(clock);
      this.#reads = 0;
    }
    return ++this.#reads <= MAX_READS_PER_SECOND;
  }

  async #read(): Promise<unknown> {
    try {
      const mismatch = await findMismatch(this.#base);
      const isNew = mismatch !== null && this.#problem === null;
      this.#problem = mismatch?.message ?? null;
      if (isNew) this.#base.emit("secret_missing", mismatch.message);
      return mismatch;
    } catch (error) {
      return isHoldfastError(error) ? error : new HoldfastError("store_unavailable", "", { cause: error });
    }
  }
}
