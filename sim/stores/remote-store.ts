import { HoldfastError } from "../../src/core/errors.ts";
import type { LogPosition, RevocationEntry } from "../../src/core/revocation.ts";
import type { RevocationTail, Store } from "../../src/stores/store.ts";
import type { ProcessContext, SimulatedProcess, World } from "../../src/testing/simulation/index.ts";
import type { SimulatedDatabase, StoreConditions } from "./simulated-database.ts";

type Listener = (entries: readonly RevocationEntry[]) => void;
type Method = (...args: unknown[]) => Promise<unknown>;

/** The usual time of one way between a process and the store, milliseconds. */
const WAY_MS = [0.1, 2] as const;

const parts = ["users", "sessions", "keys", "revocations", "audit", "markers", "attempts"] as const;

/** Puts a store behind a network: every command takes time, and can be refused or lose its answer. */
export class RemoteStore implements SimulatedDatabase {
  readonly name: string;
  readonly conditions: StoreConditions = { stallMs: 0, refused: 0, lostAnswers: 0, silent: 0 };
  readonly #world: World;
  readonly #store: Store;
  /** The entries that the command which happens now has appended. */
  #appended: RevocationEntry[] = [];
  /** Grows with each crash. A command of an earlier life loses its answer. */
  #life = 1;
  #isUp = true;
  /** Number of entries that were appended so far. */
  #entries = 0;
  /** The end of the log when it had so many entries. */
  #end: (LogPosition & { readonly entries: number }) | null = null;

  constructor(world: World, name: string, store: Store) {
    this.#world = world;
    this.name = name;
    this.#store = store;
    store.revocations.subscribe((entries) => {
      this.#appended.push(...entries);
      this.#entries += entries.length;
    });
  }

  connect(process: SimulatedProcess, context: ProcessContext): Store {
    const listeners = new Set<Listener>();
    const wrap = (target: object): Record<string, unknown> => {
      const wrapped: Record<string, unknown> = {};
      for (const [name, member] of Object.entries(target)) {
        wrapped[name] =
          typeof member === "function"
            ? async (...args: unknown[]) =>
                await this.#call(
                  process,
                  context,
                  listeners,
                  async () => await (member as Method).apply(target, args),
                )
            : member;
      }
      return wrapped;
    };
    const store: Record<string, unknown> = {
      ...wrap(this.#store),
      close: async () => await Promise.resolve(),
    };
    for (const part of parts) {
      const target = this.#store[part];
      if (target !== undefined) store[part] = wrap(target);
    }
    const subscribe = (listener: Listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    };
    const { after } = store["revocations"] as { after: (position: LogPosition) => Promise<RevocationTail> };
    store["revocations"] = {
      ...(store["revocations"] as object),
      subscribe,
      after: async (position: LogPosition) =>
        (await this.#readUnchanged(process, context, position)) ?? (await this.#readTail(after, position)),
    };
    delete store["metrics"];
    return store as unknown as Store;
  }

  crash(): () => void {
    this.#life++;
    this.#isUp = false;
    return () => {
      this.#isUp = true;
    };
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  /** Reads the tail of the log, and remembers a position that is the end of it. */
  async #readTail(
    after: (position: LogPosition) => Promise<RevocationTail>,
    position: LogPosition,
  ): Promise<RevocationTail> {
    const entriesBefore = this.#entries;
    const tail = await after(position);
    const isEnd = tail.status === "ok" && tail.entries.length === 0 && entriesBefore === this.#entries;
    if (isEnd) this.#end = { ...position, entries: entriesBefore };
    return tail;
  }

  /**
   * Answers a read at the end of an unchanged log in one step, without the database. Idle polls are most of the commands
   * of a run. `null` when the log may have changed or a fault holds.
   */
  async #readUnchanged(
    process: SimulatedProcess,
    context: ProcessContext,
    { epoch, seq, chain }: LogPosition,
  ): Promise<RevocationTail | null> {
    const end = this.#end;
    const { stallMs, refused, lostAnswers, silent } = this.conditions;
    const isAtEnd =
      end?.entries === this.#entries && end.seq === seq && end.chain === chain && end.epoch === epoch;
    if (!isAtEnd || !this.#isUp || stallMs + refused + lostAnswers + silent > 0) return null;
    return await new Promise((resolve) => {
      const answer = () => resolve({ status: "ok", entries: [] });
      if (context.isAlive) this.#world.plan(2 * this.#wayMs(), process, "store answer", answer);
    });
  }

  #wayMs(): number {
    const { random } = this.#world;
    const { stallMs } = this.conditions;
    const [min, max] = WAY_MS;
    return min + random() * (max - min) + (stallMs > 0 ? random() * stallMs : 0);
  }

  /** Sends one command, lets it happen in the database, and brings the answer back. */
  async #call(
    process: SimulatedProcess,
    context: ProcessContext,
    listeners: ReadonlySet<Listener>,
    command: () => Promise<unknown>,
  ): Promise<unknown> {
    const world = this.#world;
    const { random } = world;
    const life = this.#life;
    const unavailable = (why: string) => new HoldfastError("store_unavailable", `the simulated store ${why}`);
    return await new Promise((resolve, reject) => {
      const answer = (ms: number, settle: () => void) => {
        if (context.isAlive) world.plan(ms, process, "store answer", settle);
      };
      const perform = async () => {
        const isSilent = this.conditions.silent > 0 && random() < this.conditions.silent;
        if (isSilent && random() < 0.5) return;
        if (!this.#isUp || life !== this.#life) return answer(0, () => reject(unavailable("is down")));
        if (this.conditions.refused > 0 && random() < this.conditions.refused) {
          return answer(this.#wayMs(), () => reject(unavailable("refuses commands")));
        }
        this.#appended = [];
        let settle: (entries: readonly RevocationEntry[]) => void;
        try {
          const value = await command();
          settle = (entries) => {
            for (const listener of listeners) if (entries.length > 0) listener(entries);
            resolve(value);
          };
        } catch (error) {
          settle = () => reject(error);
        }
        const entries = this.#appended;
        if (isSilent) return;
        const isLost = this.conditions.lostAnswers > 0 && random() < this.conditions.lostAnswers;
        answer(this.#wayMs(), () => {
          if (isLost || life !== this.#life) reject(unavailable("lost the answer"));
          else settle(entries);
        });
      };
      world.after(this.#wayMs(), () => void perform());
    });
  }
}
