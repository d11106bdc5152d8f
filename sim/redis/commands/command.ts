import { ErrorReply, type Reply } from "../reply.ts";
import type { Keyspace } from "../keyspace.ts";

/** A command on the keys of a server. */
export interface KeyCommand {
  /** The number of words with the name; a negative number is the least. */
  readonly arity: number;
  readonly writes: boolean;
  /** Whether the command may need memory, so that a server without memory refuses it. */
  readonly grows: boolean;
  /** Runs the command on its arguments. */
  readonly run: (keys: Keyspace, args: readonly string[]) => Reply;
  /** The command that a replica gets in its place. Default: the same command. */
  readonly propagate?: (name: string, args: readonly string[], now: number) => string[];
}

export type CommandTable = Readonly<Record<string, KeyCommand>>;

type Run = KeyCommand["run"];

export function read(arity: number, run: Run): KeyCommand {
  return { arity, writes: false, grows: false, run };
}

/** A write that needs memory. */
export function write(arity: number, run: Run, propagate?: KeyCommand["propagate"]): KeyCommand {
  return { arity, writes: true, grows: true, run, ...(propagate && { propagate }) };
}

/** A write that frees memory, or needs none. */
export function shrink(arity: number, run: Run, propagate?: KeyCommand["propagate"]): KeyCommand {
  return { arity, writes: true, grows: false, run, ...(propagate && { propagate }) };
}

/** The error for a wrong number of arguments. */
export function arityError(name: string): ErrorReply {
  return new ErrorReply(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
}

/** Returns the bounds of a range of a list of `length` items. A negative index counts from the end. */
export function toRange(start: number, stop: number, length: number): [start: number, stop: number] {
  const from = start < 0 ? Math.max(0, length + start) : start;
  const to = stop < 0 ? Math.max(-1, length + stop) : Math.min(stop, length - 1);
  return [from, to];
}
