import { createSecretKey, type KeyObject } from "node:crypto";
import { open, seal } from "../../core/aead.ts";
import type { Entropy } from "../../core/entropy.ts";
import { HmacKey } from "../../core/hmac.ts";
import { invalidOption } from "../../core/options.ts";
import type { SharedAnswersSource } from "../../stores/shared-answers.ts";
import type { AuthorityAnswer } from "../authority/authority.ts";
import { acceptClaims } from "../authority/authority-request.ts";

/**
 * Version of the entries and of their names. Every change of either needs a new number, so that guards of two versions
 * can share one Redis.
 */
const FORMAT = 1;
const KEY_BYTES = 32;

/** The shared answer to one token. Times are epoch milliseconds. */
export interface TimedAnswer {
  readonly answer: AuthorityAnswer;
  /** When the question was sent. The answer is at least as recent. */
  readonly askedAt: number;
  readonly expiresAt: number;
}

/**
 * Names and seals the entries of one policy. Both keys are derived for the policy, so guards with different policies
 * never find each other's entries. The seal covers the name, the answer and its end, so an entry cannot replace another.
 */
export class EntrySealer {
  /** Name of the list of recently used entries. */
  readonly recentList: string;
  readonly #nameKey: HmacKey;
  readonly #sealKey: KeyObject;
  readonly #entropy: Entropy;

  /** Throws `invalid_option` when `deriveKey` does not return 32 bytes. */
  constructor(source: SharedAnswersSource, policyDigest: string, entropy: Entropy) {
    this.#entropy = entropy;
    const deriveKey = (purpose: string) => {
      const bytes: unknown = source.deriveKey(`${FORMAT} ${purpose} ${policyDigest}`);
      if (bytes instanceof Uint8Array && bytes.length === KEY_BYTES) return bytes;
      throw invalidOption("shared: what deriveKey() returns", `${KEY_BYTES} bytes`, bytes);
    };
    this.#nameKey = new HmacKey("sha256", deriveKey("names"));
    this.#sealKey = createSecretKey(deriveKey("seals"));
    this.recentList = this.nameFor("list");
  }

  /** The name under which an entry is stored. It reveals nothing about `id`. */
  nameFor(id: string): string {
    return this.#nameKey.digest(id).toString("base64url");
  }

  seal(name: string, { answer, askedAt, expiresAt }: TimedAnswer): string {
    const plain = JSON.stringify([askedAt, expiresAt, answer.status === "yes" ? answer.claims : null]);
    return seal(this.#entropy, this.#sealKey, Buffer.from(plain), name);
  }

  /** Opens a sealed entry. `null` when it was not sealed with this key under this name. */
  open(name: string, text: string): TimedAnswer | null {
    const plain = open(this.#sealKey, text, name);
    if (plain === null) return null;
    const [askedAt, expiresAt, claims] = JSON.parse(plain.toString()) as [number, number, unknown];
    const answer = claims === null ? ({ status: "no" } as const) : acceptClaims(claims);
    return answer && { answer, askedAt, expiresAt };
  }
}
