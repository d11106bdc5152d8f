import { awaitTurn, type Clock } from "../core/clock.ts";

/** Collects the items that are added in one turn of the event loop, and sends them together. */
export class Batcher<Item, Result> {
  readonly #clock: Clock;
  readonly #send: (items: readonly Item[]) => Promise<Result>;
  #batch: { readonly items: Item[]; readonly result: Promise<Result> } | null = null;

  /** `send` must never reject. */
  constructor(clock: Clock, send: (items: readonly Item[]) => Promise<Result>) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Resolves with the result of the whole batch and the index of `item` in it. */
  async add(item: Item): Promise<{ result: Result; index: number }> {
    this.#batch ??= this.#start();
    const { items, result } = this.#batch;
    const index = items.push(item) - 1;
    return { result: await result, index };
  }

  #start(): { items: Item[]; result: Promise<Result> } {
    const items: Item[] = [];
    const sendAfterTurn = async () => {
      await awaitTurn(this.#clock);
      this.#batch = null;
      return await this.#send(items);
    };
    return { items, result: sendAfterTurn() };
  }
}
