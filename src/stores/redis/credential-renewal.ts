import type { Clock } from "../../core/clock.ts";
import type { RedisCredentials, RedisCredentialsSource } from "./access.ts";
import { readCredentials } from "./node-options.ts";

/** The share of the remaining lifetime after which credentials are renewed. The rest is for further attempts. */
const RENEWAL_SHARE = 0.8;
const MIN_PAUSE_MS = 1000;

/** Renews credentials before they expire, so that a server does not close connections that are in use. */
export class CredentialRenewal {
  readonly #source: RedisCredentialsSource;
  readonly #clock: Clock;
  readonly #authenticate: (command: readonly string[]) => Promise<unknown>;
  #expiresAt: number | null = null;
  #stop = () => {};
  #isClosed = false;

  /** `authenticate` sends an AUTH command on every open connection. */
  constructor(
    source: RedisCredentialsSource,
    clock: Clock,
    authenticate: (command: readonly string[]) => Promise<unknown>,
  ) {
    this.#source = source;
    this.#clock = clock;
    this.#authenticate = authenticate;
  }

  /** Called with the credentials that a connection has just presented. */
  presented({ expiresAt }: RedisCredentials): void {
    this.#expiresAt = expiresAt ?? null;
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #schedule(): void {
    this.#stop();
    if (this.#expiresAt === null || this.#isClosed) return;
    const pauseMs = (this.#expiresAt - this.#clock.now()) * RENEWAL_SHARE;
    this.#stop = this.#clock.after(Math.max(MIN_PAUSE_MS, pauseMs), () => void this.#renew());
  }

  /** A failed attempt is repeated while the old credentials work. Afterwards a new connection asks for new ones. */
  async #renew(): Promise<void> {
    try {
      const { username = "default", password, expiresAt } = await readCredentials(this.#source);
      await this.#authenticate(["AUTH", username, password]);
      this.#expiresAt = expiresAt ?? null;
    } catch {
      // The next attempt follows after a share of the time that is left.
    }
    this.#schedule();
  }
}
