import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { open, seal } from "../../core/aead.ts";
import { invalidOption } from "../../core/options.ts";
import type { SharedAnswersSource } from "../../stores/store.ts";
import type { AuthorityAnswer } from "../authority/authority.ts";
import { acceptClaims } from "../authority/authority-request.ts";

/** Whoever changes what is in an entry, or what its name is made of, changes this: both versions live side by side. */
const FORMAT = 1;
const KEY_BYTES = 32;

/** What is shared of a token. Times are epoch ms. */
export interface TimedAnswer {
  readonly answer: AuthorityAnswer;
  /** When the authority was asked: what it says is not older. */
  readonly askedAt: number;
  readonly expiresAt: number;
}

/**
 * Names and seals what is shared under one policy. Both keys are of the policy, so guards of two policies never find
 * each other's entries; a seal covers the name, the answer and when it ends, so no entry can pass for another.
 */
export class EntrySealer {
  /** Names the list of what was used under this policy. */
  readonly recentList: string;
  readonly #nameKey: KeyObject;
  readonly #sealKey: KeyObject;

  /** `policy`: a digest of all that decides what an answer is worth, besides the token and the time. */
  constructor(source: SharedAnswersSource, policy: string) {
    const key = (purpose: string) => {
      const bytes: unknown = source.deriveKey(`${FORMAT} ${purpose} ${policy}`);
      if (bytes instanceof Uint8Array && bytes.length === KEY_BYTES) return createSecretKey(bytes);
      throw invalidOption("shared: what deriveKey() returns", `${KEY_BYTES} bytes`, bytes);
    };
    this.#nameKey = key("names");
    this.#sealKey = key("seals");
    this.recentList = this.nameFor("list");
  }

  /** Tells nothing of what it names. */
  nameFor(id: string): string {
    return createHmac("sha256", this.#nameKey).update(id).digest("base64url");
  }

  /** base64url of IV, ciphertext and tag. */
  seal(name: string, { answer, askedAt, expiresAt }: TimedAnswer): string {
    const plain = JSON.stringify([askedAt, expiresAt, answer.status === "yes" ? answer.claims : null]);
    return seal(this.#sealKey, Buffer.from(plain), name);
  }

  /** What was sealed; `null` when nobody who has the key sealed it under this name. */
  open(name: string, text: string): TimedAnswer | null {
    const plain = open(this.#sealKey, text, name);
    if (plain === null) return null;
    const [askedAt, endsAt, claims] = JSON.parse(plain.toString()) as [number, number, unknown];
    const answer = claims === null ? ({ status: "no" } as const) : acceptClaims(claims);
    return answer && { answer, askedAt, expiresAt: endsAt };
  }
}
