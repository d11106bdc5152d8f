import type { RevocationEntry } from "../core/revocation.ts";
import type { Clock } from "../core/clock.ts";
import type { LogPosition } from "../core/revocation.ts";
import type { RevocationFeed } from "../stores/contracts.ts";

/**
 * Tokens and keys that were revoked one by one. Sessions and subjects need no list: their records say it. The log
 * is read on before every answer, so what any process made durable counts at once.
 */
export class RevokedList {
  readonly #feed: RevocationFeed;
  readonly #clock: Clock;
  /** `until` by kind and id. */
  #until = new Map<string, number>();
  #position: LogPosition | null = null;

  constructor(feed: RevocationFeed, clock: Clock) {
    this.#feed = feed;
    this.#clock = clock;
  }

  async holds(token: { jti: string | undefined; kid: string | undefined }): Promise<boolean> {
    await this.#readOn();
    return this.#until.has(`token ${token.jti}`) || this.#until.has(`key ${token.kid}`);
  }

  async #readOn(): Promise<void> {
    const from = this.#position;
    const tail = from === null ? null : await this.#feed.after(from);
    if (from !== null && tail?.status === "ok") {
      this.#apply(tail.entries);
      const last = tail.entries.at(-1);
      // Another call may have read further meanwhile.
      if (last !== undefined && last.seq > (this.#position?.seq ?? 0)) {
        this.#position = { epoch: from.epoch, seq: last.seq, chain: last.chain };
      }
      return;
    }
    const { position, entries } = await this.#feed.snapshot();
    this.#apply(entries);
    this.#position = position;
  }

  #apply(entries: readonly RevocationEntry[]): void {
    if (entries.length === 0) return;
    for (const { revocation } of entries) {
      const { kind, id, until } = revocation;
      if (kind === "token" || kind === "key") this.#until.set(`${kind} ${id}`, until);
    }
    const now = this.#clock.now();
    for (const [name, until] of this.#until) if (until < now) this.#until.delete(name);
  }
}
