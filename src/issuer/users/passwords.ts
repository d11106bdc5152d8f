import argon2 from "@node-rs/argon2";
import type { Clock } from "../../core/clock.ts";
import { systemEntropy, type Entropy } from "../../core/entropy.ts";
import { Histogram } from "../../core/metrics.ts";
import { FairBulkhead, type FairPlace } from "../../resilience/fair-bulkhead.ts";
import { parsePasswordHash } from "./password-hash.ts";

/** The first recommendation of OWASP for Argon2id: 19 MiB of memory, two iterations, one lane. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const CURRENT_PREFIX = `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}$`;
const SALT_BYTES = 16;

/** Upper bounds in seconds. */
const HASH_BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The place of a call in the pool. */
export interface PoolTurn {
  readonly place: FairPlace;
  /** Aborts a call that still waits. */
  readonly signal?: AbortSignal | undefined;
  /** Called after a hash or check, with its time and the wait for a place. */
  readonly onHashed?: (durationMs: number) => void;
}

/** The turn of a login, which times its hashes. */
export type LoginTurn = Required<Pick<PoolTurn, "place" | "onHashed">>;

/** Work that no stranger can cause, such as a user that an administrator adds, or an imported hash that is replaced. */
const ownWork: PoolTurn = { place: { lane: "known", group: "issuer" } };

/**
 * Hashes passwords with Argon2id in a small pool, so that a flood of logins leaves threads and memory for verifications
 * and refreshes. The networks of the clients take turns. Further calls reject with `overloaded`.
 */
export class PasswordHasher {
  /** Time of a hash or check in seconds, with the wait for a place. */
  readonly durations: Histogram = new Histogram(HASH_BOUNDS);
  readonly #pool = new FairBulkhead("password checks", { running: 2, waiting: 64 });
  readonly #clock: Clock;
  /** Matches no password. Checking it takes as long as a real hash, so the time does not reveal an unknown user. */
  readonly #decoyHash: string;

  readonly #entropy: Entropy;
  /** A clock that decides the order of all work lets no thread finish at a time of its own. */
  readonly #argon2: {
    readonly hash: (...args: Parameters<typeof argon2.hash>) => Promise<string> | string;
    readonly verify: (...args: Parameters<typeof argon2.verify>) => Promise<boolean> | boolean;
  };

  constructor(clock: Clock, entropy: Entropy = systemEntropy) {
    this.#clock = clock;
    this.#entropy = entropy;
    const { hash, verify, hashSync, verifySync } = argon2;
    this.#argon2 = clock.turn === undefined ? { hash, verify } : { hash: hashSync, verify: verifySync };
    const unpadded = (length: number) => entropy.bytes(length).toString("base64").replaceAll("=", "");
    this.#decoyHash = `${CURRENT_PREFIX}${unpadded(SALT_BYTES)}$${unpadded(32)}`;
  }

  /** Resolves with a PHC string. */
  async hash(password: string, turn: PoolTurn = ownWork): Promise<string> {
    const salt = this.#entropy.bytes(SALT_BYTES);
    return await this.#run(
      turn,
      async () => await this.#argon2.hash(normalizePassword(password), { ...COST, salt }),
    );
  }

  /** `null` is the hash of a user who does not exist: the check takes as long, and resolves with `false`. */
  async verify(passwordHash: string | null, password: string, turn: PoolTurn = ownWork): Promise<boolean> {
    if (passwordHash !== null && !this.isCurrent(passwordHash)) {
      return await this.#run(turn, async () => await verifyImported(passwordHash, password));
    }
    const matches = await this.#run(
      turn,
      async () => await this.#argon2.verify(passwordHash ?? this.#decoyHash, normalizePassword(password)),
    );
    return matches && passwordHash !== null;
  }

  /** Calls that wait for a place. */
  get waitingCount(): number {
    return this.#pool.waitingCount;
  }

  async #run<T>({ place, signal, onHashed }: PoolTurn, task: () => Promise<T>): Promise<T> {
    const startedAt = this.#clock.monotonic();
    const result = await this.#pool.run(place, task, signal);
    const durationMs = this.#clock.monotonic() - startedAt;
    this.durations.record(durationMs / 1_000);
    onHashed?.(durationMs);
    return result;
  }

  /** Whether the hash has the form that `hash` makes. An imported hash has another one. */
  isCurrent(passwordHash: string): boolean {
    return passwordHash.startsWith(CURRENT_PREFIX);
  }
}

/**
 * Another system may have hashed the password as it was typed, or in its normal form. A hash that cannot be read comes
 * from a store that was tampered with, and matches nothing.
 */
async function verifyImported(passwordHash: string, password: string): Promise<boolean> {
  const parsed = parsePasswordHash(passwordHash);
  if (parsed.status !== "known") return false;
  if (await parsed.verify(Buffer.from(password))) return true;
  const normal = normalizePassword(password);
  return normal !== password && (await parsed.verify(Buffer.from(normal)));
}

/** One encoding for passwords that look the same on every keyboard (RFC 8265 §4.2.2). */
function normalizePassword(password: string): string {
  return password.normalize("NFC");
}

/** Length of a password in bytes of UTF-8. */
export const PASSWORD_BYTES = { min: 8, max: 1024 };

export function isAcceptablePassword(password: string): boolean {
  const bytes = Buffer.byteLength(password);
  return bytes >= PASSWORD_BYTES.min && bytes <= PASSWORD_BYTES.max;
}
