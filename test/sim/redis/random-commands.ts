import fc from "fast-check";

/* Random commands on few keys, so that a command often meets a key of its type, and sometimes a key of another type. */

const mixedKeys = ["a", "b", "c", "ü"];
/** All its members have one score. Redis leaves open what a range by member returns otherwise. */
const ONE_SCORE_KEY = "d";
export const KEYS: readonly string[] = [...mixedKeys, ONE_SCORE_KEY];
const key = fc.constantFrom(...mixedKeys);
const oneScoreKey = fc.constant(ONE_SCORE_KEY);
const field = fc.constantFrom("f", "g", "h", "");
const text = fc.oneof(
  fc.constantFrom("", "x", "7", "-3", "ü€", "1.5", '{"at":5}'),
  fc.string({ unit: "grapheme", maxLength: 6 }),
);
const index = fc.integer({ min: -6, max: 6 }).map(String);
const score = fc.oneof(
  fc.integer({ min: -4, max: 4 }).map(String),
  fc.constantFrom("1.5", "-0.25", "inf", "-inf", "1e20", "1893456000000", "3.0", "nonsense"),
);
const bound = fc.oneof(
  score,
  score.map((one) => `(${one}`),
);
const lexBound = fc.oneof(
  fc.constantFrom("-", "+", "x"),
  field.map((one) => `[${one}`),
  field.map((one) => `(${one}`),
);
const limit = fc.oneof(
  fc.constant([]),
  fc.tuple(fc.constant("LIMIT"), fc.constantFrom("0", "1", "-1"), fc.constantFrom("0", "1", "2", "-1")),
);
const withScores = fc.constantFrom([], ["WITHSCORES"]);
const streamId = fc.integer({ min: 0, max: 30 }).map((ms) => `${ms}-0`);
const streamBound = fc.oneof(streamId, fc.constantFrom("-", "+", "5", "7-3"));
const count = fc.oneof(fc.constant([]), fc.tuple(fc.constant("COUNT"), fc.constantFrom("0", "1", "3")));
const several = (one: fc.Arbitrary<string>) => fc.array(one, { minLength: 1, maxLength: 3 });

/** Joins words and lists of words to one command. */
function command(name: string, ...words: readonly fc.Arbitrary<string | readonly string[]>[]) {
  return fc.tuple(...words).map((parts): string[] => [name, ...parts.flat()]);
}

const expiry = fc.oneof(
  fc.constant([]),
  fc.constantFrom(["PX", "100000"], ["PX", "0"], ["NX"], ["XX"], ["NX", "PX", "90000"], ["NX", "XX"]),
);
const addOptions = fc.constantFrom(
  [],
  [],
  ["NX"],
  ["XX"],
  ["LT"],
  ["GT"],
  ["XX", "LT"],
  ["CH"],
  ["NX", "LT"],
);
const pairs = (left: fc.Arbitrary<string>, right: fc.Arbitrary<string>) =>
  fc.array(fc.tuple(left, right), { minLength: 1, maxLength: 3 }).map((all) => all.flat());

const strings = [
  command("GET", key),
  command("MGET", several(key)),
  command("SET", key, text, expiry),
  command("DEL", several(key)),
  command("EXISTS", several(key)),
  command("PTTL", key),
  command("PEXPIRE", key, fc.constantFrom("100000", "-1", "0", "x")),
];
const hashes = [
  command("HGET", key, field),
  command("HMGET", key, several(field)),
  command("HEXISTS", key, field),
  command("HLEN", key),
  command("HSET", key, pairs(field, text)),
  command("HSET", key, several(field)),
  command("HSETNX", key, field, text),
  command("HDEL", key, several(field)),
];
const lists = [
  command("LLEN", key),
  command("LINDEX", key, index),
  command("LRANGE", key, index, index),
  command("LPUSH", key, several(text)),
  command("LTRIM", key, index, index),
  command("RPOP", key),
];
const sortedSets = [
  command("ZADD", key, addOptions, pairs(score, field)),
  command("ZREM", key, several(field)),
  command("ZSCORE", key, field),
  command("ZCARD", key),
  command("ZCOUNT", key, bound, bound),
  command("ZRANGE", key, index, index, withScores),
  command("ZRANGE", key, index, index, fc.constant(["REV"])),
  command("ZREVRANGE", key, index, index, withScores),
  command("ZRANGEBYSCORE", key, bound, bound, withScores, limit),
  command("ZREVRANGEBYSCORE", key, bound, bound, limit),
  command("ZADD", oneScoreKey, addOptions, pairs(fc.constant("0"), field)),
  command("ZREM", oneScoreKey, several(field)),
  command("ZRANGEBYLEX", oneScoreKey, lexBound, lexBound, limit),
  command("ZREMRANGEBYSCORE", key, bound, bound),
  command("ZREMRANGEBYRANK", key, index, index),
];
const streams = [
  command("XADD", key, streamId, pairs(field, text)),
  command("XLEN", key),
  command("XRANGE", key, streamBound, streamBound, count),
  command("XREVRANGE", key, streamBound, streamBound, count),
  command("XTRIM", key, fc.constant(["MAXLEN"]), fc.constantFrom("0", "1", "5", "-1")),
  command("XREAD", fc.constantFrom([], ["COUNT", "2"]), fc.constant(["STREAMS"]), key, streamId),
];

/** A command that a script runs, which can fail in its middle. */
const scripts = [
  command(
    "EVAL",
    fc.constantFrom(
      "redis.call('SET', KEYS[1], 'before') return redis.call('HGET', KEYS[1], 'f')",
      "return redis.pcall('LPUSH', KEYS[1], ARGV[1])",
      "redis.call('ZADD', KEYS[1], 1.1, ARGV[1]) return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')",
      "local found = redis.call('GET', KEYS[1]) return {found, type(found), 3.9, true, false, {1, {'x'}}, nil, 5}",
      "return {redis.sha1hex(ARGV[1]), #ARGV[1], tostring(2 ^ 53), 1e15 .. '', 2 ^ 70 .. '', 0.1 .. ''}",
      "return redis.error_reply('EMPTIED the store')",
      'return cjson.decode(\'{"a":[1,2,{"b":"\\\\u00fc"}]}\').a[3].b',
    ),
    fc.constant("1"),
    key,
    text,
  ),
];

/** A sequence of commands. */
export const commandSequence: fc.Arbitrary<string[][]> = fc.array(
  fc.oneof(...strings, ...hashes, ...lists, ...sortedSets, ...streams, ...scripts),
  { minLength: 5, maxLength: 60 },
);
