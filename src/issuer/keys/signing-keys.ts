import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import { importJwkSet, type VerificationKey } from "../../jwt/jwk-set.ts";
import { generateSigningKey, type SigningKey } from "../../jwt/sign.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";
import type { SigningKeyRecord } from "../../stores/store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import type { RevocationCache } from "../revocations/revocation-cache.ts";
import type { EndOptions } from "../sessions/session-types.ts";
import { rejectIfSecretReplaced } from "../store/secret-marker.ts";
import type { IssuerStatus } from "../types.ts";
import { associatedData, openSigningKey, sealSigningKey } from "./sealed-key.ts";

/** While the store cannot be read, the issuer signs with keys that were read at most this long ago. */
export const MAX_KEYS_AGE_MS = 60_000;
/** While the store can be read, a rotation or revocation by another process is noticed within this time. */
const RELOAD_INTERVAL_MS = 1_000;
/** Anyone can send tokens with unknown keys. So many of them cause a read in one interval. */
const MAX_LOOK_UPS = 10;

interface OpenedKey {
  readonly record: SigningKeyRecord;
  readonly signingKey: SigningKey;
  readonly verificationKey: VerificationKey;
}

/**
 * The signing keys of the store, opened. Public keys are derived from the private keys, so an attacker who can write to
 * the store cannot add a public key.
 */
export class SigningKeys {
  readonly #base: IssuerBase;
  readonly #revocations: RevocationCache;
  /** `kid` of each key that this process has revoked. A process that checks no tokens may not have read the log. */
  readonly #discarded = new Set<string>();
  readonly #loading = new SingleFlight<"keys" | "revoked keys", void>();
  #keys: readonly OpenedKey[] = [];
  /** `kid` of each record in the store that cannot be decrypted. */
  #undecryptable: ReadonlySet<string> = new Set();
  /** When the request for the current keys was sent to the store. */
  #loadedAt: Instant | null = null;
  /** When the store last answered or failed. */
  #lastReadAt: Instant | null = null;
  /** How many unknown keys have caused a read that succeeded, in an interval that began at `since`. */
  #lookUps: { readonly since: Instant | null; count: number } = { since: null, count: 0 };
  #reloadsStarted = 0;
  #newestReload = 0;

  constructor(base: IssuerBase, revocations: RevocationCache) {
    this.#base = base;
    this.#revocations = revocations;
  }

  /** Opens the keys of the store. An empty store gets two keys: one signs, and the next one is published already. */
  async open(): Promise<void> {
    const { store } = this.#base;
    if ((await store.keys.list()).length === 0) {
      const now = await store.now();
      await store.keys.initialise([await this.#createRecord(now, now), await this.#createRecord(now, null)]);
    }
    await this.reload();
  }

  /** Reads the keys from the store. The result of a read that a later one has overtaken is dropped. */
  async reload(): Promise<void> {
    const reload = ++this.#reloadsStarted;
    const { clock, store } = this.#base;
    const startedAt = readClock(clock);
    const [records] = await Promise.all([
      store.keys.list().finally(() => (this.#lastReadAt = readClock(clock))),
      this.#revocations.follow(),
    ]);
    const opened = records.map((record) => this.#openRecord(record));
    const keys = opened.filter((key) => key !== null);
    await this.#auditUndecryptable(
      records.filter((_, index) => opened[index] === null).map(({ kid }) => kid),
    );
    if (findActiveKey(keys) === undefined) {
      throw new HoldfastError("store_mismatch", "no signing key in the store can be opened with this secret");
    }
    if (reload < this.#newestReload) return;
    this.#newestReload = reload;
    this.#keys = keys;
    this.#loadedAt = startedAt;
  }

  /**
   * The key that signs now. Rejects when the keys are too old and the store cannot be read. A store that has lost the
   * removal of a revoked key may still call it active. It is then replaced before anything is signed (law 3).
   */
  async activeKey(): Promise<SigningKey> {
    await this.#reloadIfDue();
    if (this.#isRevoked(this.#activeKey())) {
      await this.#loading.run("revoked keys", async () => await this.#removeRevoked());
    }
    const active = this.#activeKey();
    if (this.#isRevoked(active)) {
      throw new HoldfastError("store_unavailable", "the signing key is revoked and could not be replaced");
    }
    return active.signingKey;
  }

  /** The published key with this `kid`. An unknown `kid` is looked up in the store, a few times per interval. */
  async find(kid: string | undefined, algorithm: Algorithm): Promise<VerificationKey | undefined> {
    await this.#reloadIfDue();
    const lookUp = () =>
      this.#keys.find(({ record }) => record.kid === kid && record.algorithm === algorithm)?.verificationKey;
    // While the store cannot be read, an unknown key is a failure (law 1): this reload rejects then.
    // Another process may have published the key since the last read, however recent that is.
    if (lookUp() === undefined && this.#mayLookUp()) {
      const lookUps = this.#lookUps;
      await this.#reloadOnce();
      lookUps.count++;
    }
    return lookUp();
  }

  #mayLookUp(): boolean {
    if (this.#ageOf(this.#lookUps.since) >= RELOAD_INTERVAL_MS) {
      this.#lookUps = { since: readClock(this.#base.clock), count: 0 };
    }
    return this.#lookUps.count < MAX_LOOK_UPS || this.#ageOf(this.#loadedAt) >= RELOAD_INTERVAL_MS;
  }

  /**
   * The published keys (RFC 7517 §5): keys that sign, will sign, or signed tokens that may not have expired. While the
   * store cannot be read, the last known keys stay published, with their age.
   */
  async jwks(): Promise<{ keys: readonly SigningKey["publicJwk"][]; ageMs: number }> {
    await this.#reloadIfDue().catch((error: unknown) => {
      if (this.#keys.length === 0) throw error;
    });
    return {
      keys: this.#keys.filter((key) => !this.#isRevoked(key)).map(({ signingKey }) => signingKey.publicJwk),
      ageMs: this.#ageOf(this.#loadedAt),
    };
  }

  list(): IssuerStatus["keys"] {
    return this.#keys.map(({ record }) => {
      const { kid, algorithm, createdAt, activatedAt, retiredAt } = record;
      return { kid, algorithm, createdAt, activatedAt, retiredAt };
    });
  }

  /** The next published key signs from now on. Of several concurrent rotations, one succeeds. */
  async rotate(reason: string, { actor, source }: EndOptions = {}): Promise<void> {
    await this.reload();
    await this.#replace(this.#activeKey(), { actor, source, detail: reason });
  }

  /** Rotates the keys when they are due, and removes retired keys whose tokens have all expired. */
  async maintain(): Promise<void> {
    await this.reload();
    await this.#removeRevoked();
    const { store, config, acceptance } = this.#base;
    const now = await store.now();
    for (const { record } of this.#keys) {
      if (record.retiredAt === null) continue;
      // Another process can sign with a retired key until it reloads. The last token of the key expires after that.
      const isOver = now > (await acceptance.endsAt(record.retiredAt + MAX_KEYS_AGE_MS));
      if (isOver) await store.keys.remove(record.kid);
    }
    const active = this.#activeKey();
    if (now >= (active.record.activatedAt ?? 0) + config.keyRotationMs) {
      await this.#replace(active, { detail: "on schedule" });
    }
  }

  /**
   * Retires a compromised key and removes it. `revoke` makes its revocation durable after it has stopped signing and
   * before it is removed.
   */
  async discard(kid: string, revoke: () => Promise<void>): Promise<void> {
    await this.reload();
    const isPublished = this.#keys.some(({ record }) => record.kid === kid);
    await this.#retire(kid);
    await revoke();
    if (isPublished) this.#discarded.add(kid);
    await this.#base.store.keys.remove(kid);
    await this.reload();
  }

  /** Seals every key under the first secret. */
  async reseal(): Promise<void> {
    const { store, secrets, entropy } = this.#base;
    for (const { record, signingKey } of this.#keys) {
      const sealed = sealSigningKey(entropy, secrets[0], record, signingKey);
      await store.keys.reseal(record.kid, record.sealed, sealed);
    }
  }

  /** Returns whether the key is in use no more. */
  async #retire(kid: string): Promise<boolean> {
    // A key that is published as the next one must become active before it can retire: two rotations at most.
    const inUse = () => this.#keys.some(({ record }) => record.kid === kid && record.retiredAt === null);
    for (let turns = 0; turns < 3 && inUse(); turns++) {
      await this.#replace(this.#activeKey(), { detail: "revoked" });
    }
    return !inUse();
  }

  #isRevoked({ record: { kid } }: OpenedKey): boolean {
    return this.#discarded.has(kid) || this.#revocations.hasRevokedKey(kid);
  }

  /** Removes the keys that the store has although they were revoked. */
  async #removeRevoked(): Promise<void> {
    const revoked = this.#keys.filter((key) => this.#isRevoked(key));
    for (const { record } of revoked) {
      if (await this.#retire(record.kid)) await this.#base.store.keys.remove(record.kid);
    }
    if (revoked.length > 0) await this.reload();
  }

  #activeKey(): OpenedKey {
    return findActiveKey(this.#keys) as OpenedKey;
  }

  async #replace({ record }: OpenedKey, facts: EndOptions & { detail: string }): Promise<void> {
    const { store, audit } = this.#base;
    const outcome = await store.keys.rotate(record.kid, await this.#createRecord(await store.now(), null));
    if (outcome === "rotated") await audit("keys_rotated", facts);
    await this.reload();
  }

  /** Rejects only when the keys are too old to sign with. */
  async #reloadIfDue(): Promise<void> {
    const isFresh = () => this.#ageOf(this.#loadedAt) < MAX_KEYS_AGE_MS;
    if (this.#ageOf(this.#lastReadAt) < RELOAD_INTERVAL_MS && isFresh()) return;
    await this.#reloadOnce().catch((error: unknown) => {
      if (!isFresh()) throw error;
    });
  }

  /** Concurrent callers share one reload. */
  async #reloadOnce(): Promise<void> {
    await this.#loading.run("keys", async () => await this.reload());
  }

  #ageOf(since: Instant | null): number {
    return since === null ? Infinity : elapsedMs(this.#base.clock, since);
  }

  async #createRecord(createdAt: number, activatedAt: number | null): Promise<SigningKeyRecord> {
    const { secrets, config, entropy } = this.#base;
    const { algorithm } = config;
    const signingKey = await generateSigningKey(algorithm, entropy);
    const facts = { kid: signingKey.kid, algorithm, createdAt };
    return {
      ...facts,
      sealed: sealSigningKey(entropy, secrets[0], facts, signingKey),
      activatedAt,
      retiredAt: null,
    };
  }

  /** Audits every key record that cannot be decrypted, once, until it can be decrypted or is gone. */
  async #auditUndecryptable(kids: readonly string[]): Promise<void> {
    const added = kids.filter((kid) => !this.#undecryptable.has(kid));
    if (kids.length > 0) await rejectIfSecretReplaced(this.#base);
    this.#undecryptable = new Set(kids);
    for (const kid of added) await this.#base.audit("record_tampered", { detail: `key ${kid}` });
  }

  /** `null` when the record cannot be decrypted. A record whose sealed key is unchanged is not decrypted again. */
  #openRecord(record: SigningKeyRecord): OpenedKey | null {
    const before = this.#keys.find((key) => key.record.sealed === record.sealed);
    if (before !== undefined && associatedData(before.record) === associatedData(record)) {
      return { ...before, record };
    }
    const signingKey = openSigningKey(this.#base.secrets, record);
    const [verificationKey] = signingKey === null ? [] : importJwkSet({ keys: [signingKey.publicJwk] }).keys;
    return signingKey !== null && verificationKey !== undefined
      ? { record, signingKey, verificationKey }
      : null;
  }
}

function findActiveKey(keys: readonly OpenedKey[]): OpenedKey | undefined {
  return keys.findLast(({ record }) => record.activatedAt !== null && record.retiredAt === null);
}
