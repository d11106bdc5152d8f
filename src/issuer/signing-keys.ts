import { elapsedMs, instant, type Clock, type Instant } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import type { Algorithm } from "../jwt/algorithms.ts";
import { importJwkSet, type VerificationKey } from "../jwt/jwk-set.ts";
import { generateSigningKey, importSigningKey, type SigningKey } from "../jwt/sign.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import type { SigningKeyRecord, Store } from "../stores/contracts.ts";
import { open, seal } from "./sealing.ts";
import type { SecretKeys, Secrets } from "./secrets.ts";
import type { IssuerStatus } from "./types.ts";

/** How old our view of the keys may be when we sign: a rotation in another process is seen within this time. */
export const KEY_RELOAD_MS = 60_000;
/** An unknown `kid` makes us look again, but no more often than this. */
const LOOK_AGAIN_MS = 1_000;

interface OpenedKey {
  readonly record: SigningKeyRecord;
  readonly signing: SigningKey;
  readonly verification: VerificationKey;
}

interface SigningKeysOptions {
  readonly store: Pick<Store, "keys" | "now">;
  readonly secrets: Secrets;
  readonly algorithm: Algorithm;
  readonly clock: Clock;
  /** A record that is not as we sealed it. */
  readonly onTampered: (kid: string) => Promise<void>;
}

/** Public keys are always derived from private ones that opened: a key that was written to the store from outside is none. */
export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #loading = new SingleFlight<"keys", void>();
  #keys: readonly OpenedKey[] = [];
  #loaded: Instant | null = null;
  #asked = 0;
  #answered = 0;

  constructor(options: SigningKeysOptions) {
    this.#options = options;
  }

  /** First start: one key signs, the next is published already. Later: opens what is there. */
  async open(): Promise<void> {
    const { store } = this.#options;
    if ((await store.keys.list()).length === 0) {
      const now = await store.now();
      await store.keys.initialise([await this.#make(now, now), await this.#make(now, null)]);
    }
    await this.reload();
  }

  /** What the store holds now, at the latest when this resolves; an answer that was overtaken is dropped. */
  async reload(): Promise<void> {
    const turn = ++this.#asked;
    const asked = instant(this.#options.clock);
    const records = await this.#options.store.keys.list();
    const opened = await Promise.all(records.map(async (record) => await this.#opened(record)));
    const keys = opened.filter((key) => key !== null);
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
    await this.#reloadIfOlderThan(KEY_RELOAD_MS);
    return (signerOf(this.#keys) as OpenedKey).signing;
  }

  /** A key that is published under `kid`. */
  async find(kid: string | undefined, algorithm: Algorithm): Promise<VerificationKey | undefined> {
    await this.#reloadIfOlderThan(KEY_RELOAD_MS);
    const known = () =>
      this.#keys.find(({ record }) => record.kid === kid && record.algorithm === algorithm)?.verification;
    if (known() === undefined) await this.#reloadIfOlderThan(LOOK_AGAIN_MS);
    return known();
  }

  /**
   * RFC 7517 §5: those that sign, will sign, or signed tokens that may still be alive. What is known stays
   * published while the store cannot be read.
   */
  async jwks(): Promise<{ keys: readonly SigningKey["publicJwk"][] }> {
    await this.#reloadIfOlderThan(KEY_RELOAD_MS).catch((error: unknown) => {
      if (this.#keys.length === 0) throw error;
    });
    return { keys: this.#keys.map(({ signing }) => signing.publicJwk) };
  }

  list(): IssuerStatus["keys"] {
    return this.#keys.map(({ record }) => {
      const { kid, algorithm, createdAt, activatedAt, retiredAt } = record;
      return { kid, algorithm, createdAt, activatedAt, retiredAt };
    });
  }

  /** Of several at once, one wins; afterwards `kid` does not sign any more, whoever did it. */
  async rotate(kid?: string): Promise<"rotated" | "stale"> {
    const { store } = this.#options;
    await this.reload();
    const current = signerOf(this.#keys)?.record.kid ?? "";
    if (kid !== undefined && kid !== current) return "stale";
    const outcome = await store.keys.rotate(current, await this.#make(await store.now(), null));
    await this.reload();
    return outcome;
  }

  /** Rotates when the signer is older than `rotationMs`; forgets what retired more than `keepMs` ago. */
  async maintain(rotationMs: number, keepMs: number): Promise<"rotated" | "stale" | "not due"> {
    await this.reload();
    const { store } = this.#options;
    const now = await store.now();
    for (const { record } of this.#keys) {
      if (record.retiredAt !== null && now > record.retiredAt + keepMs) await store.keys.remove(record.kid);
    }
    const signer = signerOf(this.#keys)?.record;
    if (now < (signer?.activatedAt ?? 0) + rotationMs) return "not due";
    return await this.rotate(signer?.kid);
  }

  /** For a compromised key: it signs no more and is published no more. `revoke` makes that durable in between. */
  async discard(kid: string, revoke: () => Promise<void>): Promise<void> {
    await this.reload();
    // The one published next has to sign once before it can retire; so at most two rotations.
    for (let turns = 0; turns < 3 && this.#inUse(kid); turns++) await this.rotate();
    await revoke();
    await this.#options.store.keys.remove(kid);
    await this.reload();
  }

  /** Seals every key under the first secret. */
  async reseal(): Promise<void> {
    const { store, secrets } = this.#options;
    for (const { record, signing } of this.#keys) {
      await store.keys.reseal(record.kid, record.sealed, sealKey(secrets[0], record, signing));
    }
  }

  #inUse(kid: string): boolean {
    return this.#keys.some(({ record }) => record.kid === kid && record.retiredAt === null);
  }

  async #reloadIfOlderThan(ms: number): Promise<void> {
    if (this.#loaded !== null && elapsedMs(this.#options.clock, this.#loaded) < ms) return;
    await this.#loading.run("keys", async () => await this.reload());
  }

  async #make(createdAt: number, activatedAt: number | null): Promise<SigningKeyRecord> {
    const { secrets, algorithm } = this.#options;
    const signing = await generateSigningKey(algorithm);
    const facts = { kid: signing.kid, algorithm, createdAt };
    return { ...facts, sealed: sealKey(secrets[0], facts, signing), activatedAt, retiredAt: null };
  }

  async #opened(record: SigningKeyRecord): Promise<OpenedKey | null> {
    const before = this.#keys.find((key) => key.record.sealed === record.sealed);
    if (before !== undefined && binding(before.record) === binding(record)) return { ...before, record };
    for (const keys of this.#options.secrets) {
      const plain = open(keys.sealing, record.sealed, binding(record));
      if (plain === null) continue;
      const signing = importSigningKey(JSON.parse(plain.toString()) as Record<string, unknown>);
      const [verification] = importJwkSet({ keys: [signing.publicJwk] }).keys;
      if (verification !== undefined && signing.kid === record.kid) return { record, signing, verification };
    }
    await this.#options.onTampered(record.kid);
    return null;
  }
}

type KeyFacts = Pick<SigningKeyRecord, "kid" | "algorithm" | "createdAt">;

function binding({ kid, algorithm, createdAt }: KeyFacts): string {
  return JSON.stringify(["signing key", kid, algorithm, createdAt]);
}

function sealKey(keys: SecretKeys, facts: KeyFacts, signing: SigningKey): string {
  return seal(keys.sealing, Buffer.from(JSON.stringify(signing.privateJwk)), binding(facts));
}

function signerOf(keys: readonly OpenedKey[]): OpenedKey | undefined {
  return keys.findLast(({ record }) => record.activatedAt !== null && record.retiredAt === null);
}
