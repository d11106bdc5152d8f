import type { UserRecord } from "../../stores/user-store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { addUserMac } from "../store/record-macs.ts";
import type { PasswordHasher } from "./passwords.ts";

/**
 * Replaces an imported hash by Argon2id after a login with the right password. The login does not wait for that. When it
 * fails, or when the record changed since, the next login tries again.
 */
export class PasswordRehash {
  readonly #base: IssuerBase;
  readonly #passwords: PasswordHasher;
  readonly #running = new Map<string, Promise<void>>();

  constructor(base: IssuerBase, passwords: PasswordHasher) {
    this.#base = base;
    this.#passwords = passwords;
  }

  /** Begins to replace the hash of a user whose password was right. Does nothing when the hash is current. */
  begin(user: UserRecord, password: string): void {
    const { subject } = user;
    if (this.#passwords.isCurrent(user.passwordHash) || this.#running.has(subject)) return;
    const work = this.#replace(user, password)
      .catch(() => undefined)
      .finally(() => this.#running.delete(subject));
    this.#running.set(subject, work);
  }

  /** Resolves when no replacement for this user, or for any user, is under way. Never rejects. */
  async finished(subject?: string): Promise<void> {
    await (subject === undefined ? Promise.all(this.#running.values()) : this.#running.get(subject));
  }

  async #replace(user: UserRecord, password: string): Promise<void> {
    const passwordHash = await this.#passwords.hash(password);
    const { secrets, store } = this.#base;
    await store.users.replace(addUserMac(secrets, { ...user, passwordHash }), user.mac);
  }
}
