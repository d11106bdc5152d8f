import { formatGeneral } from "../../lua/values.ts";
import type { Keyspace } from "../keyspace.ts";
import { ErrorReply, readFloat, readInteger, syntaxError, type Reply } from "../reply.ts";
import { SortedSet, type ScoreBound, type ScoredMember } from "../sorted-set.ts";
import { read, shrink, toRange, write, type CommandTable, type KeyCommand } from "./command.ts";

const setOf = (keys: Keyspace, key: string) => keys.read(key, "zset");

const ADD_OPTIONS: ReadonlySet<string> = new Set(["NX", "XX", "GT", "LT", "CH"]);

function add(keys: Keyspace, [key = "", ...words]: readonly string[]): Reply {
  const options = new Set<string>();
  let at = 0;
  for (; ADD_OPTIONS.has(words[at]?.toUpperCase() ?? ""); at++) options.add(words[at]?.toUpperCase() ?? "");
  const pairs = words.slice(at);
  if (pairs.length === 0 || pairs.length % 2 !== 0) throw syntaxError();
  rejectContradiction(options);
  const members = pairs.flatMap((score, i): ScoredMember[] =>
    i % 2 === 0 ? [[pairs[i + 1] as string, readFloat(score)]] : [],
  );
  const existing = setOf(keys, key);
  if (existing === null && options.has("XX")) return 0;
  const set = keys.readOrCreate(key, "zset", () => new SortedSet());
  let [added, changed] = [0, 0];
  for (const [member, score] of members) {
    const before = set.score(member);
    if (before === undefined ? options.has("XX") : !mayReplace(before, score, options)) continue;
    set.set(member, score);
    if (before === undefined) added++;
    if (before !== score) changed++;
  }
  keys.changes += changed;
  return options.has("CH") ? changed : added;
}

function rejectContradiction(options: ReadonlySet<string>): void {
  if (options.has("NX") && options.has("XX"))
    throw new ErrorReply("ERR XX and NX options at the same time are not compatible");
  const orders = Number(options.has("GT")) + Number(options.has("LT")) + Number(options.has("NX"));
  if (orders > 1) throw new ErrorReply("ERR GT, LT, and/or NX options at the same time are not compatible");
}

function mayReplace(before: number, score: number, options: ReadonlySet<string>): boolean {
  if (options.has("NX")) return false;
  return !(options.has("LT") && score >= before) && !(options.has("GT") && score <= before);
}

function remove(keys: Keyspace, key: string, members: readonly string[]): number {
  const set = setOf(keys, key);
  if (set === null) return 0;
  const removed = members.filter((member) => set.delete(member)).length;
  if (removed > 0) keys.changes++;
  keys.deleteIfEmpty(key, set.size);
  return removed;
}

/** Reads one end of a range of scores, such as `5`, `(5` or `-inf`. */
function readBound(text: string = ""): ScoreBound {
  const isExclusive = text.startsWith("(");
  return {
    score: readFloat(isExclusive ? text.slice(1) : text, "ERR min or max is not a float"),
    isExclusive,
  };
}

function listMembers(members: readonly ScoredMember[], withScores: boolean): Reply {
  return members.flatMap(([member, score]) => (withScores ? [member, formatGeneral(score, 17)] : [member]));
}

function byIndex(isReversed: boolean): KeyCommand["run"] {
  return (keys, [key = "", start, stop, ...words]) => {
    const [from, to] = [readInteger(start), readInteger(stop)];
    const flags = words.map((word) => word.toUpperCase());
    if (flags.some((flag) => flag !== "WITHSCORES" && (flag !== "REV" || isReversed))) throw syntaxError();
    const set = setOf(keys, key);
    if (set === null) return [];
    const [first, last] = toRange(from, to, set.size);
    const backward = isReversed || flags.includes("REV");
    const members = backward
      ? set.byIndex(set.size - 1 - last, set.size - 1 - first).toReversed()
      : set.byIndex(first, last);
    return listMembers(first > last ? [] : members, flags.includes("WITHSCORES"));
  };
}

interface RangeOptions {
  readonly withScores: boolean;
  readonly offset: number;
  /** A negative number stands for all. */
  readonly count: number;
}

function readRangeOptions(words: readonly string[]): RangeOptions {
  let options: RangeOptions = { withScores: false, offset: 0, count: -1 };
  for (let i = 0; i < words.length; i++) {
    const option = words[i]?.toUpperCase();
    if (option === "WITHSCORES") options = { ...options, withScores: true };
    else if (option === "LIMIT" && i + 2 < words.length) {
      options = { ...options, offset: readInteger(words[i + 1]), count: readInteger(words[i + 2]) };
      i += 2;
    } else throw syntaxError();
  }
  return options;
}

function limit<T>(items: readonly T[], { offset, count }: RangeOptions): T[] {
  if (offset < 0) return [];
  return items.slice(offset, count < 0 ? undefined : offset + count);
}

function byScore(isReversed: boolean): KeyCommand["run"] {
  return (keys, [key = "", first, second, ...words]) => {
    const [min, max] = isReversed ? [second, first] : [first, second];
    const bounds = [readBound(min), readBound(max)] as const;
    const options = readRangeOptions(words);
    const members = setOf(keys, key)?.byScore(...bounds) ?? [];
    return listMembers(limit(isReversed ? members.toReversed() : members, options), options.withScores);
  };
}

/** Reads one end of a range of members: `[text`, `(text`, `-` or `+`. */
function readLexBound(text: string = ""): (member: string) => number {
  if (text === "-") return () => 1;
  if (text === "+") return () => -1;
  const [kind, limitText] = [text[0], text.slice(1)];
  if (kind !== "[" && kind !== "(") throw new ErrorReply("ERR min or max not valid string range item");
  return (member) => {
    if (member === limitText) return kind === "[" ? 0 : Number.NaN;
    return member > limitText ? 1 : -1;
  };
}

function byMember(keys: Keyspace, [key = "", min, max, ...words]: readonly string[]): Reply {
  const [compareMin, compareMax] = [readLexBound(min), readLexBound(max)];
  const options = readRangeOptions(words);
  const members = (setOf(keys, key)?.all() ?? []).filter(
    ([member]) => compareMin(member) >= 0 && compareMax(member) <= 0,
  );
  return listMembers(limit(members, options), options.withScores);
}

/** The commands on sorted sets. */
export const sortedSetCommands: CommandTable = {
  ZADD: write(-4, add),
  ZREM: shrink(-3, (keys, [key = "", ...members]) => remove(keys, key, members)),
  ZSCORE: read(3, (keys, [key = "", member = ""]) => {
    const score = setOf(keys, key)?.score(member);
    return score === undefined ? null : formatGeneral(score, 17);
  }),
  ZCARD: read(2, (keys, [key = ""]) => setOf(keys, key)?.size ?? 0),
  ZCOUNT: read(4, (keys, [key = "", min, max]) => {
    const bounds = [readBound(min), readBound(max)] as const;
    return setOf(keys, key)?.byScore(...bounds).length ?? 0;
  }),
  ZRANGE: read(-4, byIndex(false)),
  ZREVRANGE: read(-4, byIndex(true)),
  ZRANGEBYSCORE: read(-4, byScore(false)),
  ZREVRANGEBYSCORE: read(-4, byScore(true)),
  ZRANGEBYLEX: read(-4, byMember),
  ZREMRANGEBYSCORE: shrink(4, (keys, [key = "", min, max]) => {
    const bounds = [readBound(min), readBound(max)] as const;
    return remove(
      keys,
      key,
      setOf(keys, key)
        ?.byScore(...bounds)
        .map(([member]) => member) ?? [],
    );
  }),
  ZREMRANGEBYRANK: shrink(4, (keys, [key = "", start, stop]) => {
    const [from, to] = [readInteger(start), readInteger(stop)];
    const set = setOf(keys, key);
    if (set === null) return 0;
    const [first, last] = toRange(from, to, set.size);
    return remove(
      keys,
      key,
      set.byIndex(first, last).map(([member]) => member),
    );
  }),
};
