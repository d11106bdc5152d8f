/** Collects what is asked in one turn of the event loop, and asks it all at once. */
export class Batcher<Item, Result> {
  readonly #send: (items: readonly Item[]) => Promise<Result>;
  #batch: { readonly items: Item[]; readonly outcome: Promise<Result> } | null = null;

  /** `ask` never rejects. */
  constructor(ask: (items: readonly Item[]) => Promise<Result>) {
    this.#send = ask;
  }

  /** The outcome for all of the turn's items, and this one's place among them. */
  async add(item: Item): Promise<{ result: Result; index: number }> {
    this.#batch ??= this.#start();
    const { items, outcome } = this.#batch;
    const index = items.push(item) - 1;
    return { result: await outcome, index };
  }

  #start(): { items: Item[]; outcome: Promise<Result> } {
    const items: Item[] = [];
    const ask = async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#batch = null;
      return await this.#send(items);
    };
    return { items, outcome: ask() };
  }
}
