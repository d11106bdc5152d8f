/** Collects what is asked in one turn of the event loop, and asks it all at once. */
export class Gatherer<Item, Outcome> {
  readonly #ask: (items: readonly Item[]) => Promise<Outcome>;
  #batch: { readonly items: Item[]; readonly outcome: Promise<Outcome> } | null = null;

  /** `ask` never rejects. */
  constructor(ask: (items: readonly Item[]) => Promise<Outcome>) {
    this.#ask = ask;
  }

  /** The outcome for all of the turn's items, and this one's place among them. */
  async add(item: Item): Promise<{ outcome: Outcome; index: number }> {
    this.#batch ??= this.#begin();
    const { items, outcome } = this.#batch;
    const index = items.push(item) - 1;
    return { outcome: await outcome, index };
  }

  #begin(): { items: Item[]; outcome: Promise<Outcome> } {
    const items: Item[] = [];
    const ask = async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#batch = null;
      return await this.#ask(items);
    };
    return { items, outcome: ask() };
  }
}
