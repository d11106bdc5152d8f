import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import { importJwkSet, type VerificationKey } from "../../jwt/jwk-set.ts";
import { generateSigningKey, type SigningKey } from "../../jwt/sign.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import type { SigningKeyRecord } from "../../stores/store.ts";
import { maxAcceptanceMs, type IssuerBase } from "../issuer-base.ts";
import { associatedData, openSigningKey, sealSigningKey } from "./sealed-key.ts";
import type { IssuerStatus } from "../types.ts";

/** How old our view of the keys may be when we sign, while the store cannot be read. */
export const MAX_KEYS_AGE_MS = 60_000;
/** Else: a rotation or revocation in another process is seen within this time. */
const RELOAD_INTERVAL_MS = 1_000;

interface OpenedKey {
  readonly record: SigningKeyRecord;
  readonly signingKey: SigningKey;
  readonly verificationKey: VerificationKey;
}

/** Public keys are always derived from private ones that opened: a key that was written to the store from outside is none. */
export class SigningKeys {
  readonly #base: IssuerBase;
  readonly #loading = new SingleFlight<"keys", void>();
  #keys: readonly OpenedKey[] = [];
  /** In the store, and none of ours. */
  #undecryptable: ReadonlySet<string> = new Set();
  #loadedAt: Instant | null = null;
  /** When the store was last asked, whatever it said. */
  #lastReadAt: Instant | null = null;
  #reloadsStarted = 0;
  #newestReload = 0;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** First start: one key signs, the next is published already. Later: opens what is there. */
  async open(): Promise<void> {
    const { store } = this.#base;
    if ((await store.keys.list()).length === 0) {
      const now = await store.now();
      await store.keys.initialise([await this.#createRecord(now, now), await this.#createRecord(now, null)]);
    }
    await this.reload();
  }

  /** What the store holds now, at the latest when this resolves; an answer that was overtaken is dropped. */
  async reload(): Promise<void> {
    const turn = ++this.#reloadsStarted;
    const { clock, store } = this.#base;
    const asked = readClock(clock);
    const records = await store.keys.list().finally(() => (this.#lastReadAt = readClock(clock)));
    const opened = records.map((record) => this.#openRecord(record));
    const keys = opened.filter((key) => key !== null);
    await this.#auditUndecryptable(
      records.filter((_, index) => opened[index] === null).map(({ kid }) => kid),
    );
    if (findActiveKey(keys) === undefined) {
      throw new HoldfastError("store_mismatch", "no signing key in the store opens under this secret");
    }
    if (turn < this.#newestReload) return;
    this.#newestReload = turn;
    this.#keys = keys;
    this.#loadedAt = asked;
  }

  /** The key that signs now. */
  async signer(): Promise<SigningKey> {
    await this.#reloadIfDue();
    return this.#activeKey().signingKey;
  }

  /** A key that is published under `kid`. */
  async find(kid: string | undefined, algorithm: Algorithm): Promise<VerificationKey | undefined> {
    await this.#reloadIfDue();
    const known = () =>
      this.#keys.find(({ record }) => record.kid === kid && record.algorithm === algorithm)?.verificationKey;
    // A store that could not be read makes no key unknown.
    if (known() === undefined && this.#ageOf(this.#loadedAt) >= RELOAD_INTERVAL_MS) await this.#reloadOnce();
    return known();
  }

  /**
   * RFC 7517 §5: those that sign, will sign, or signed tokens that may still be alive. What is known stays
   * published while the store cannot be read, and tells its age.
   */
  async jwks(): Promise<{ keys: readonly SigningKey["publicJwk"][]; ageMs: number }> {
    await this.#reloadIfDue().catch((error: unknown) => {
      if (this.#keys.length === 0) throw error;
    });
    return {
      keys: this.#keys.map(({ signingKey }) => signingKey.publicJwk),
      ageMs: this.#ageOf(this.#loadedAt),
    };
  }

  list(): IssuerStatus["keys"] {
    return this.#keys.map(({ record }) => {
      const { kid, algorithm, createdAt, activatedAt, retiredAt } = record;
      return { kid, algorithm, createdAt, activatedAt, retiredAt };
    });
  }

  /** The one published next signs from now on. Of several rotations at once, one wins. */
  async rotate(reason: string): Promise<void> {
    await this.reload();
    await this.#replace(this.#activeKey(), reason);
  }

  /** Rotates when it is time; forgets what retired long enough ago. */
  async maintain(): Promise<void> {
    await this.reload();
    const { store, config } = this.#base;
    const now = await store.now();
    // A retired key signs in another process until that one looks again, and its last token lives on after that.
    const keepMs = MAX_KEYS_AGE_MS + maxAcceptanceMs(config);
    for (const { record } of this.#keys) {
      if (record.retiredAt !== null && now > record.retiredAt + keepMs) await store.keys.remove(record.kid);
    }
    const signer = this.#activeKey();
    if (now >= (signer.record.activatedAt ?? 0) + config.keyRotationMs) {
      await this.#replace(signer, "on schedule");
    }
  }

  /** For a compromised key: it signs no more and is published no more. `revoke` makes that durable in between. */
  async discard(kid: string, revoke: () => Promise<void>): Promise<void> {
    await this.reload();
    // The one published next has to sign once before it can retire; so at most two rotations.
    const inUse = () => this.#keys.some(({ record }) => record.kid === kid && record.retiredAt === null);
    for (let turns = 0; turns < 3 && inUse(); turns++) await this.rotate("revoked");
    await revoke();
    await this.#base.store.keys.remove(kid);
    await this.reload();
  }

  /** Seals every key under the first secret. */
  async reseal(): Promise<void> {
    const { store, secrets } = this.#base;
    for (const { record, signingKey } of this.#keys) {
      await store.keys.reseal(record.kid, record.sealed, sealSigningKey(secrets[0], record, signingKey));
    }
  }

  #activeKey(): OpenedKey {
    return findActiveKey(this.#keys) as OpenedKey;
  }

  async #replace({ record }: OpenedKey, reason: string): Promise<void> {
    const { store, audit } = this.#base;
    const outcome = await store.keys.rotate(record.kid, await this.#createRecord(await store.now(), null));
    if (outcome === "rotated") await audit("keys_rotated", { detail: reason });
    await this.reload();
  }

  async #reloadIfDue(): Promise<void> {
    const isFresh = () => this.#ageOf(this.#loadedAt) < MAX_KEYS_AGE_MS;
    if (this.#ageOf(this.#lastReadAt) < RELOAD_INTERVAL_MS && isFresh()) return;
    await this.#reloadOnce().catch((error: unknown) => {
      if (!isFresh()) throw error;
    });
  }

  async #reloadOnce(): Promise<void> {
    await this.#loading.run("keys", async () => await this.reload());
  }

  #ageOf(since: Instant | null): number {
    return since === null ? Infinity : elapsedMs(this.#base.clock, since);
  }

  async #createRecord(createdAt: number, activatedAt: number | null): Promise<SigningKeyRecord> {
    const { secrets, config } = this.#base;
    const { algorithm } = config;
    const signing = await generateSigningKey(algorithm);
    const facts = { kid: signing.kid, algorithm, createdAt };
    return { ...facts, sealed: sealSigningKey(secrets[0], facts, signing), activatedAt, retiredAt: null };
  }

  /** Of those that do not open, each once while it stays. */
  async #auditUndecryptable(undecryptable: readonly string[]): Promise<void> {
    const news = undecryptable.filter((kid) => !this.#undecryptable.has(kid));
    this.#undecryptable = new Set(undecryptable);
    for (const kid of news) await this.#base.audit("record_tampered", { detail: `key ${kid}` });
  }

  #openRecord(record: SigningKeyRecord): OpenedKey | null {
    const before = this.#keys.find((key) => key.record.sealed === record.sealed);
    if (before !== undefined && associatedData(before.record) === associatedData(record))
      return { ...before, record };
    const signing = openSigningKey(this.#base.secrets, record);
    const [verification] = signing === null ? [] : importJwkSet({ keys: [signing.publicJwk] }).keys;
    return signing !== null && verification !== undefined
      ? { record, signingKey: signing, verificationKey: verification }
      : null;
  }
}

function findActiveKey(keys: readonly OpenedKey[]): OpenedKey | undefined {
  return keys.findLast(({ record }) => record.activatedAt !== null && record.retiredAt === null);
}
