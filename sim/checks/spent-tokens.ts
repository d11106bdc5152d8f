import type { Facts } from "./facts.ts";
import type { RecordedOperation } from "./run-history.ts";

/** What the history says about refresh tokens that were replaced by their successor. */
export class SpentTokens {
  readonly #losses: Facts["losses"];
  /** Spent token → the confirmed refreshes with it. */
  readonly #refreshes = new Map<unknown, RecordedOperation[]>();
  /** Refresh token → its confirmed acknowledgement. */
  readonly #acknowledgements = new Map<unknown, RecordedOperation>();

  constructor({ operations, losses }: Pick<Facts, "operations" | "losses">) {
    this.#losses = losses;
    for (const operation of operations) {
      const { operation: kind, call, answer } = operation;
      const status = answer?.["status"];
      if (kind === "acknowledge" && status === 204) this.#acknowledgements.set(call["refresh"], operation);
      if (kind !== "refresh" || status !== 200) continue;
      const known = this.#refreshes.get(call["presented"]) ?? [];
      this.#refreshes.set(call["presented"], [...known, operation]);
    }
  }

  /** When the token was presented for the first refresh that was confirmed. `Infinity` when none was. */
  replacedAt(presented: unknown): number {
    return this.#refreshes.get(presented)?.[0]?.began ?? Infinity;
  }

  /** When the acknowledgement of the successor was confirmed. `Infinity` when it was not. */
  arrivedAt(presented: unknown): number {
    return this.#acknowledgementOf(presented)?.ended ?? Infinity;
  }

  /** Whether the store had lost, at a time, that the token was replaced, or that its successor arrived. */
  isLost(session: string, presented: unknown, at: number): boolean {
    const acknowledgement = this.#acknowledgementOf(presented);
    const writes = [...(this.#refreshes.get(presented) ?? []), ...(acknowledgement ? [acknowledgement] : [])];
    return writes.some((write) => this.#losses.findOfSession(write, session, at) !== null);
  }

  #acknowledgementOf(presented: unknown): RecordedOperation | undefined {
    const successor = this.#refreshes.get(presented)?.at(-1)?.answer?.["refresh"];
    return this.#acknowledgements.get(successor);
  }
}
