import type { LogPosition, RevocationEntry } from "../core/revocation.ts";
import type { Foundation } from "./context.ts";

/**
 * Tokens and keys that were revoked one by one. Sessions and subjects need no list: their records say it. The log
 * is read on before every answer, so what any process made durable counts at once.
 */
export class RevokedList {
  readonly #base: Foundation;
  /** `until` by kind and id. */
  readonly #until = new Map<string, number>();
  #position: LogPosition | null = null;

  constructor(base: Foundation) {
    this.#base = base;
  }

  /** Whether one of these was revoked: `token …` by its `jti`, `key …` by its `kid`. */
  async holds(...names: readonly string[]): Promise<boolean> {
    const { revocations } = this.#base.store;
    const from = this.#position;
    const tail = from && (await revocations.after(from));
    if (from !== null && tail?.status === "ok") {
      const { seq, chain } = tail.entries.at(-1) ?? from;
      this.#add(tail.entries, { epoch: from.epoch, seq, chain });
    } else {
      const { entries, position } = await revocations.snapshot();
      this.#add(entries, position);
    }
    return names.some((name) => this.#until.has(name));
  }

  /** Calls at the same time may bring the same entries, and are none the worse for it. */
  #add(entries: readonly RevocationEntry[], position: LogPosition): void {
    this.#position = position;
    if (entries.length === 0) return;
    for (const { revocation } of entries) {
      const { kind, id, until } = revocation;
      if (kind === "token" || kind === "key") this.#until.set(`${kind} ${id}`, until);
    }
    const now = this.#base.clock.now();
    for (const [name, until] of this.#until) if (until < now) this.#until.delete(name);
  }
}
