import { randomBytes } from "node:crypto";
import { hash, verify } from "@node-rs/argon2";
import { Bulkhead } from "../../resilience/bulkhead.ts";

/** OWASP's first choice for Argon2id: 19 MiB, two passes, one lane. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const randomUnpadded = (bytes: number) => randomBytes(bytes).toString("base64").replaceAll("=", "");

/**
 * Argon2id in a small pool: a flood of logins must not take the threads and the memory that proofs and refreshes
 * need. The excess is refused with `overloaded`.
 */
export class PasswordHasher {
  readonly #pool = new Bulkhead("password checks", { running: 2, waiting: 64 });
  /** Opens with no password and costs the same as a real one: an unknown user is not told by the time. */
  readonly #decoyHash = `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}$${randomUnpadded(16)}$${randomUnpadded(32)}`;

  /** A PHC string. */
  async hash(password: string): Promise<string> {
    return await this.#pool.run(async () => await hash(normalizePassword(password), COST));
  }

  /** `null` stands for a user who does not exist: as slow as the others, and false. */
  async verify(passwordHash: string | null, password: string): Promise<boolean> {
    const matches = await this.#pool.run(
      async () => await verify(passwordHash ?? this.#decoyHash, normalizePassword(password)),
    );
    return matches && passwordHash !== null;
  }
}

/** One spelling of what looks the same on every keyboard (RFC 8265 §4.2.2). */
function normalizePassword(password: string): string {
  return password.normalize("NFC");
}

/** Bytes of UTF-8: long enough to matter, short enough to hash. */
export const PASSWORD_BYTES = { min: 8, max: 1024 };

export function isAcceptablePassword(password: string): boolean {
  const bytes = Buffer.byteLength(password);
  return bytes >= PASSWORD_BYTES.min && bytes <= PASSWORD_BYTES.max;
}
