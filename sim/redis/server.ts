import { hash } from "node:crypto";
import { NotSimulatedError } from "../lua/values.ts";
import { arityError, type KeyCommand } from "./commands/command.ts";
import { entriesAfter, readStreamRead } from "./commands/streams.ts";
import { findCommand } from "./commands/table.ts";
import { dumpKey } from "./dump-key.ts";
import { Keyspace, type EvictionPolicy } from "./keyspace.ts";
import { ErrorReply, readInteger, type Reply } from "./reply.ts";
import type { ScriptEngine } from "./script-engine.ts";

/** The changes of one command or script, which a replica and the append-only file get as a whole. */
export type Change = readonly (readonly string[])[];

/** The environment of a server. */
export interface RedisServerOptions {
  /** The wall clock of the server, epoch ms. */
  readonly now: () => number;
  readonly engine: ScriptEngine;
  /** The settings that `CONFIG GET` reports, by name. */
  readonly settings: Readonly<Record<string, string>>;
  /** Called with each change, after the command that made it. */
  readonly onChange?: (change: Change) => void;
  /** Called with each command of a script. Throws when the server does not have its keys. */
  readonly onScriptCommand?: (words: readonly string[]) => void;
}

/** Why a server refuses commands. */
export interface Refusals {
  /** The reply to every command, such as `LOADING …`. `null` when the server accepts commands. */
  all: string | null;
  /** The reply to every write, such as `READONLY …`. */
  writes: string | null;
  /** The reply to a write that needs memory. */
  growth: string | null;
}

/** One Redis server: its keys, scripts and commands. Its replies are immediate. */
export class RedisServerModel {
  readonly #options: RedisServerOptions;
  readonly #scripts = new Map<string, string>();
  readonly #settings: Record<string, string>;
  #keys: Keyspace;
  #change: (readonly string[])[] = [];
  readonly refusals: Refusals = { all: null, writes: null, growth: null };
  /** By which it deletes every key that it may, before each command. `null` while it has memory. */
  exhausted: EvictionPolicy | null = null;

  constructor(options: RedisServerOptions) {
    this.#options = options;
    this.#settings = { ...options.settings };
    this.#keys = this.#createKeyspace();
  }

  get keys(): Keyspace {
    return this.#keys;
  }

  /** Runs a command. Throws an `ErrorReply`, and a `NotSimulatedError` for a command that the model lacks. */
  execute(words: readonly string[]): Reply {
    if (this.refusals.all !== null) throw new ErrorReply(this.refusals.all);
    const now = this.#options.now();
    this.#keys.now = now;
    try {
      if (this.exhausted !== null) while (this.evict(this.exhausted) !== null);
      return this.#run(words, now);
    } finally {
      this.#publish();
    }
  }

  /** Passes on what the command changed. */
  #publish(): void {
    const change = this.#change;
    this.#change = [];
    if (change.length > 0) this.#options.onChange?.(change);
  }

  /** Changes a setting, as an operator does. */
  configure(name: string, value: string): void {
    this.#settings[name] = value;
  }

  /** Deletes one key to free memory. Returns its name, and `null` when the policy allows none. */
  evict(policy: EvictionPolicy): string | null {
    const key = this.#keys.nextEvicted(policy);
    if (key === null) return null;
    this.#keys.delete(key);
    this.#change.push(["DEL", key]);
    this.#publish();
    return key;
  }

  /** Whether the key exists now. */
  has(key: string): boolean {
    this.#keys.now = this.#options.now();
    const exists = this.#keys.has(key);
    this.#publish();
    return exists;
  }

  /** Deletes the key, and returns the commands that create it on another server. */
  giveAway(key: string): Change {
    this.#keys.now = this.#options.now();
    const dumped = dumpKey(this.#keys, key);
    if (this.#keys.delete(key)) this.#change.push(["DEL", key]);
    this.#publish();
    return dumped;
  }

  /** Creates a key that another server has given away. */
  takeOver(dumped: Change): void {
    applyChange(this.#keys, dumped);
    this.#change.push(...dumped);
    this.#publish();
  }

  /** Applies a change of a primary, or of the append-only file. */
  apply(change: Change): void {
    applyChange(this.#keys, change);
  }

  /** Replaces all keys by a copy of those of another server. `null` deletes all keys. */
  load(source: Keyspace | null): void {
    this.#keys = this.#createKeyspace(source ?? undefined);
  }

  /** Forgets the scripts, as a restart does. */
  forgetScripts(): void {
    this.#scripts.clear();
  }

  #createKeyspace(from?: Keyspace): Keyspace {
    return new Keyspace((key) => this.#change.push(["DEL", key]), from);
  }

  #run(words: readonly string[], now: number): Reply {
    const [name = "", ...args] = words;
    switch (name.toUpperCase()) {
      case "PING":
        return { ok: "PONG" };
      case "TIME":
        return [String(Math.floor(now / 1000)), String(Math.floor((now % 1000) * 1000))];
      case "CONFIG":
        return this.#readConfig(args);
      case "EVAL":
        return this.#evaluate(args, (text) => this.#remember(text));
      case "EVALSHA":
        return this.#evaluate(args, (digest) => this.#findScript(digest));
      case "XREAD":
        return entriesAfter(this.#keys, readStreamRead(args));
      default:
        return this.#runOnKeys(name, args, now);
    }
  }

  #runOnKeys(name: string, args: readonly string[], now: number): Reply {
    const command = findCommand(name);
    const { arity, writes } = command;
    if (arity > 0 ? args.length + 1 !== arity : args.length + 1 < -arity) throw arityError(name);
    if (writes) this.#assertWritable(command);
    const before = this.#keys.changes;
    const reply = command.run(this.#keys, args);
    if (this.#keys.changes > before)
      this.#change.push(command.propagate?.(name, args, now) ?? [name, ...args]);
    return reply;
  }

  #assertWritable({ grows }: KeyCommand): void {
    const { writes, growth } = this.refusals;
    if (writes !== null) throw new ErrorReply(writes);
    // A script that has written continues without memory, because its writes cannot be undone.
    if (grows && growth !== null && this.#change.length === 0) throw new ErrorReply(growth);
  }

  #remember(text: string): string {
    this.#scripts.set(hash("sha1", Buffer.from(text, "latin1")), text);
    return text;
  }

  #findScript(digest: string): string {
    const text = this.#scripts.get(digest);
    if (text === undefined) throw new ErrorReply("NOSCRIPT No matching script. Please use EVAL.");
    return text;
  }

  #evaluate([first = "", count, ...rest]: readonly string[], find: (first: string) => string): Reply {
    if (count === undefined) throw arityError("EVAL");
    const keyCount = readInteger(count);
    if (keyCount > rest.length)
      throw new ErrorReply("ERR Number of keys can't be greater than number of args");
    const text = find(first);
    // The time stands still while a script runs.
    const now = this.#keys.now as number;
    return this.#options.engine.run(text, rest.slice(0, keyCount), rest.slice(keyCount), (words) =>
      this.#runInScript(words, now),
    );
  }

  #runInScript(words: readonly string[], now: number): Reply {
    const name = words[0]?.toUpperCase() ?? "";
    if (name === "TIME") return this.#run(words, now);
    this.#options.onScriptCommand?.(words);
    if (["EVAL", "EVALSHA", "CONFIG", "XREAD", "PING"].includes(name))
      throw new NotSimulatedError(`the Redis command ${name} in a script`);
    return this.#runOnKeys(name, words.slice(1), now);
  }

  #readConfig([action = "", ...patterns]: readonly string[]): Reply {
    if (action.toUpperCase() !== "GET") throw new NotSimulatedError(`the Redis command CONFIG ${action}`);
    const matches = patterns.map(
      (pattern) => new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`),
    );
    const entries = Object.entries(this.#settings);
    return entries.filter(([name]) => matches.some((match) => match.test(name))).flat();
  }
}

/** Applies a change to keys. No key expires now, because the primary decides that. */
export function applyChange(keys: Keyspace, change: Change): void {
  keys.now = null;
  for (const [name = "", ...args] of change) findCommand(name).run(keys, args);
}
