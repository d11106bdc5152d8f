import { elapsedMs, instant, type Instant } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import type { Algorithm } from "../jwt/algorithms.ts";
import { importJwkSet, type VerificationKey } from "../jwt/jwk-set.ts";
import { generateSigningKey, type SigningKey } from "../jwt/sign.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import type { SigningKeyRecord } from "../stores/contracts.ts";
import { acceptedForMs, type Foundation } from "./foundation.ts";
import { binding, openKey, sealKey } from "./sealed-key.ts";
import type { IssuerStatus } from "./types.ts";

/** How old our view of the keys may be when we sign, while the store cannot be read. */
export const MAX_KEYS_AGE_MS = 60_000;
/** Else: a rotation or revocation in another process is seen within this time. */
const LOOK_EVERY_MS = 1_000;

interface OpenedKey {
  readonly record: SigningKeyRecord;
  readonly signing: SigningKey;
  readonly verification: VerificationKey;
}

/** Public keys are always derived from private ones that opened: a key that was written to the store from outside is none. */
export class SigningKeys {
  readonly #base: Foundation;
  readonly #loading = new SingleFlight<"keys", void>();
  #keys: readonly OpenedKey[] = [];
  /** In the store, and none of ours. */
  #strange: ReadonlySet<string> = new Set();
  #loaded: Instant | null = null;
  /** When the store was last asked, whatever it said. */
  #looked: Instant | null = null;
  #asked = 0;
  #answered = 0;

  constructor(base: Foundation) {
    this.#base = base;
  }

  /** First start: one key signs, the next is published already. Later: opens what is there. */
  async open(): Promise<void> {
    const { store } = this.#base;
    if ((await store.keys.list()).length === 0) {
      const now = await store.now();
      await store.keys.initialise([await this.#make(now, now), await this.#make(now, null)]);
    }
    await this.reload();
  }

  /** What the store holds now, at the latest when this resolves; an answer that was overtaken is dropped. */
  async reload(): Promise<void> {
    const turn = ++this.#asked;
    const { clock, store } = this.#base;
    const asked = instant(clock);
    const records = await store.keys.list().finally(() => (this.#looked = instant(clock)));
    const opened = records.map((record) => this.#opened(record));
    const keys = opened.filter((key) => key !== null);
    await this.#tell(records.filter((_, index) => opened[index] === null).map(({ kid }) => kid));
    if (signerOf(keys) === undefined) {
      throw new HoldfastError("store_mismatch", "no signing key in the store opens under this secret");
    }
    if (turn < this.#answered) return;
    this.#answered = turn;
    this.#keys = keys;
    this.#loaded = asked;
  }

  /** The key that signs now. */
  async signer(): Promise<SigningKey> {
    await this.#look();
    return this.#signer().signing;
  }

  /** A key that is published under `kid`. */
  async find(kid: string | undefined, algorithm: Algorithm): Promise<VerificationKey | undefined> {
    await this.#look();
    const known = () =>
      this.#keys.find(({ record }) => record.kid === kid && record.algorithm === algorithm)?.verification;
    // A store that could not be read makes no key unknown.
    if (known() === undefined && this.#age(this.#loaded) >= LOOK_EVERY_MS) await this.#load();
    return known();
  }

  /**
   * RFC 7517 §5: those that sign, will sign, or signed tokens that may still be alive. What is known stays
   * published while the store cannot be read, and tells its age.
   */
  async jwks(): Promise<{ keys: readonly SigningKey["publicJwk"][]; ageMs: number }> {
    await this.#look().catch((error: unknown) => {
      if (this.#keys.length === 0) throw error;
    });
    return { keys: this.#keys.map(({ signing }) => signing.publicJwk), ageMs: this.#age(this.#loaded) };
  }

  list(): IssuerStatus["keys"] {
    return this.#keys.map(({ record }) => {
      const { kid, algorithm, createdAt, activatedAt, retiredAt } = record;
      return { kid, algorithm, createdAt, activatedAt, retiredAt };
    });
  }

  /** The one published next signs from now on. Of several rotations at once, one wins. */
  async rotate(why: string): Promise<void> {
    await this.reload();
    await this.#replace(this.#signer(), why);
  }

  /** Rotates when it is time; forgets what retired long enough ago. */
  async maintain(): Promise<void> {
    await this.reload();
    const { store, config } = this.#base;
    const now = await store.now();
    // A retired key signs in another process until that one looks again, and its last token lives on after that.
    const keepMs = MAX_KEYS_AGE_MS + acceptedForMs(config);
    for (const { record } of this.#keys) {
      if (record.retiredAt !== null && now > record.retiredAt + keepMs) await store.keys.remove(record.kid);
    }
    const signer = this.#signer();
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
    for (const { record, signing } of this.#keys) {
      await store.keys.reseal(record.kid, record.sealed, sealKey(secrets[0], record, signing));
    }
  }

  #signer(): OpenedKey {
    return signerOf(this.#keys) as OpenedKey;
  }

  async #replace({ record }: OpenedKey, why: string): Promise<void> {
    const { store, audit } = this.#base;
    const outcome = await store.keys.rotate(record.kid, await this.#make(await store.now(), null));
    if (outcome === "rotated") await audit("keys_rotated", { detail: why });
    await this.reload();
  }

  async #look(): Promise<void> {
    const isYoung = () => this.#age(this.#loaded) < MAX_KEYS_AGE_MS;
    if (this.#age(this.#looked) < LOOK_EVERY_MS && isYoung()) return;
    await this.#load().catch((error: unknown) => {
      if (!isYoung()) throw error;
    });
  }

  async #load(): Promise<void> {
    await this.#loading.run("keys", async () => await this.reload());
  }

  #age(since: Instant | null): number {
    return since === null ? Infinity : elapsedMs(this.#base.clock, since);
  }

  async #make(createdAt: number, activatedAt: number | null): Promise<SigningKeyRecord> {
    const { secrets, config } = this.#base;
    const { algorithm } = config;
    const signing = await generateSigningKey(algorithm);
    const facts = { kid: signing.kid, algorithm, createdAt };
    return { ...facts, sealed: sealKey(secrets[0], facts, signing), activatedAt, retiredAt: null };
  }

  /** Of those that do not open, each once while it stays. */
  async #tell(strange: readonly string[]): Promise<void> {
    const news = strange.filter((kid) => !this.#strange.has(kid));
    this.#strange = new Set(strange);
    for (const kid of news) await this.#base.audit("record_tampered", { detail: `key ${kid}` });
  }

  #opened(record: SigningKeyRecord): OpenedKey | null {
    const before = this.#keys.find((key) => key.record.sealed === record.sealed);
    if (before !== undefined && binding(before.record) === binding(record)) return { ...before, record };
    const signing = openKey(this.#base.secrets, record);
    const [verification] = signing === null ? [] : importJwkSet({ keys: [signing.publicJwk] }).keys;
    return signing !== null && verification !== undefined ? { record, signing, verification } : null;
  }
}

function signerOf(keys: readonly OpenedKey[]): OpenedKey | undefined {
  return keys.findLast(({ record }) => record.activatedAt !== null && record.retiredAt === null);
}
