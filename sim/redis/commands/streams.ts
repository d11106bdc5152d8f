import type { Keyspace, Stream, StreamEntry } from "../keyspace.ts";
import { ErrorReply, readInteger, syntaxError, type Reply } from "../reply.ts";
import { arityError, read, shrink, write, type CommandTable } from "./command.ts";

interface Id {
  readonly ms: number;
  readonly seq: number;
}

const FIRST: Id = { ms: 0, seq: 0 };
const LAST: Id = { ms: Infinity, seq: Infinity };

const streamOf = (keys: Keyspace, key: string) => keys.read(key, "stream");

/** Reads an id; `seq` stands for a second part that is missing. */
function readId(text: string = "", seq: number = 0): Id {
  const match = /^(\d{1,19})(?:-(\d{1,19}))?$/.exec(text);
  if (match === null) throw new ErrorReply("ERR Invalid stream ID specified as stream command argument");
  return { ms: Number(match[1]), seq: match[2] === undefined ? seq : Number(match[2]) };
}

function readBound(text: string = "", seq: number): Id {
  if (text === "-") return FIRST;
  return text === "+" ? LAST : readId(text, seq);
}

function isAfter(one: Id, other: Id): boolean {
  return one.ms > other.ms || (one.ms === other.ms && one.seq > other.seq);
}

/** The index of the first entry that is after `id`, or at it if `orAt`. */
function search(entries: readonly StreamEntry[], id: Id, orAt: boolean): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle] as StreamEntry;
    if (isAfter(entry, id) || (orAt && !isAfter(id, entry))) high = middle;
    else low = middle + 1;
  }
  return low;
}

function toReply({ ms, seq, fields }: StreamEntry): Reply {
  return [`${ms}-${seq}`, fields];
}

function add(keys: Keyspace, [key = "", text, ...fields]: readonly string[]): Reply {
  if (fields.length === 0 || fields.length % 2 !== 0) throw arityError("XADD");
  const id = readId(text);
  if (id.ms === 0 && id.seq === 0)
    throw new ErrorReply("ERR The ID specified in XADD must be greater than 0-0");
  const stream = keys.readOrCreate(key, "stream", (): Stream => ({ entries: [], last: FIRST }));
  if (!isAfter(id, stream.last)) {
    throw new ErrorReply("ERR The ID specified in XADD is equal or smaller than the target stream top item");
  }
  stream.entries.push({ ...id, fields });
  stream.last = id;
  keys.changes++;
  return `${id.ms}-${id.seq}`;
}

function range(keys: Keyspace, args: readonly string[], isReversed: boolean): Reply {
  const [key = "", first, second, word, countText] = args;
  const [startText, endText] = isReversed ? [second, first] : [first, second];
  const [start, end] = [readBound(startText, 0), readBound(endText, Infinity)];
  if (args.length !== 3 && (args.length !== 5 || word?.toUpperCase() !== "COUNT")) throw syntaxError();
  const count = args.length === 5 ? Math.max(0, readInteger(countText)) : Infinity;
  const stream = streamOf(keys, key);
  if (stream === null) return [];
  if (count === 0) return null;
  const { entries } = stream;
  const [from, to] = [search(entries, start, true), search(entries, end, false)];
  const found = isReversed
    ? entries.slice(Math.max(from, to - count), to).toReversed()
    : entries.slice(from, Math.min(to, from + count));
  return found.map(toReply);
}

function trim(keys: Keyspace, [key = "", how, lengthText]: readonly string[]): Reply {
  if (how?.toUpperCase() !== "MAXLEN") throw syntaxError();
  const length = readInteger(lengthText);
  if (length < 0) throw new ErrorReply("ERR The MAXLEN argument must be >= 0.");
  const stream = streamOf(keys, key);
  if (stream === null) return 0;
  const removed = stream.entries.splice(0, Math.max(0, stream.entries.length - length)).length;
  if (removed > 0) keys.changes++;
  return removed;
}

/** The command `XREAD` on one stream. */
export interface StreamRead {
  readonly key: string;
  readonly after: Id;
  readonly count: number;
  /** How long the server waits for an entry, ms. `null` when it does not. */
  readonly blockMs: number | null;
}

/** Reads `XREAD [BLOCK ms] [COUNT n] STREAMS key id`. */
export function readStreamRead(args: readonly string[]): StreamRead {
  let blockMs: number | null = null;
  let count = Infinity;
  for (let i = 0; i < args.length; i += 2) {
    const option = args[i]?.toUpperCase();
    if (option === "STREAMS" && args.length === i + 3)
      return { key: args[i + 1] as string, after: readId(args[i + 2]), count, blockMs };
    if (option === "BLOCK") blockMs = readInteger(args[i + 1]);
    else if (option === "COUNT") count = readInteger(args[i + 1]);
    else throw syntaxError();
  }
  throw syntaxError();
}

/** The entries after the position. `null` when the position is the end. */
export function entriesAfter(keys: Keyspace, { key, after, count }: StreamRead): Reply {
  const entries = streamOf(keys, key)?.entries ?? [];
  const from = search(entries, after, false);
  const found = entries.slice(from, from + count);
  return found.length === 0 ? null : [[key, found.map(toReply)]];
}

/** The commands on streams. Redis keeps an empty stream, so no command deletes one. */
export const streamCommands: CommandTable = {
  XADD: write(-5, add),
  XLEN: read(2, (keys, [key = ""]) => streamOf(keys, key)?.entries.length ?? 0),
  XRANGE: read(-4, (keys, args) => range(keys, args, false)),
  XREVRANGE: read(-4, (keys, args) => range(keys, args, true)),
  XTRIM: shrink(4, trim),
};
