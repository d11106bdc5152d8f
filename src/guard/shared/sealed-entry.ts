import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from "node:crypto";
import { invalidOption } from "../../core/options.ts";
import type { SharedAnswersSource } from "../../stores/store.ts";
import type { AuthorityAnswer } from "../authority/authority.ts";
import { acceptClaims } from "../authority/authority-request.ts";

/** Whoever changes what is in an entry, or what its name is made of, changes this: both versions live side by side. */
const FORMAT = 1;
const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;
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
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.#sealKey, iv).setAAD(Buffer.from(name));
    const plain = JSON.stringify([askedAt, expiresAt, answer.status === "yes" ? answer.claims : null]);
    const sealed = Buffer.concat([iv, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return sealed.toString("base64url");
  }

  /** What was sealed; `null` when nobody who has the key sealed it under this name. */
  open(name: string, text: string): TimedAnswer | null {
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length < IV_BYTES + TAG_BYTES) return null;
    const options = { authTagLength: TAG_BYTES };
    const decipher = createDecipheriv(CIPHER, this.#sealKey, bytes.subarray(0, IV_BYTES), options);
    decipher.setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, "utf8");
    try {
      decipher.final();
    } catch {
      return null;
    }
    const [askedAt, endsAt, claims] = JSON.parse(plain) as [number, number, unknown];
    const answer = claims === null ? ({ status: "no" } as const) : acceptClaims(claims);
    return answer && { answer, askedAt, expiresAt: endsAt };
  }
}
