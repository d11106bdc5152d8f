import { NotSimulatedError } from "./values.ts";

/** The names of one function of a script, while it is compiled. Each local variable gets its own name. */
export class FunctionScope {
  readonly #parent: FunctionScope | null;
  readonly #counter: { next: number };
  #blocks: Map<string, string>[] = [new Map()];
  /** The variables for intermediate values, which the function declares at its beginning. */
  readonly temporaries: string[] = [];

  constructor(parent: FunctionScope | null = null) {
    this.#parent = parent;
    this.#counter = parent === null ? { next: 0 } : parent.#counter;
  }

  declare(name: string): string {
    const unique = `${name}$${this.#counter.next++}`;
    this.#blocks.at(-1)?.set(name, unique);
    return unique;
  }

  temporary(): string {
    const name = `t$${this.#counter.next++}`;
    this.temporaries.push(name);
    return name;
  }

  /** The name of the variable. `null` when it is a global one. */
  resolve(name: string): string | null {
    for (const block of this.#blocks.toReversed()) {
      const found = block.get(name);
      if (found !== undefined) return found;
    }
    return this.#parent?.resolve(name) ?? null;
  }

  /** Runs `work` in a new block. */
  inBlock<T>(work: () => T): T {
    this.#blocks.push(new Map());
    try {
      return work();
    } finally {
      this.#blocks.pop();
    }
  }
}

export function notSimulated(what: string): never {
  throw new NotSimulatedError(`${what} of Lua`);
}
