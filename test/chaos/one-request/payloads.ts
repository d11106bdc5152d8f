import { randomBetween } from "../../soak/random.ts";

/** Returns a text of about `length` characters. */
export type Shape = (length: number, random: () => number) => string;

const repeat = (unit: string): Shape => {
  return (length) => unit.repeat(Math.max(1, Math.floor(length / unit.length)));
};

/** A long run that ends in a character which no expression of the run matches. */
const runBefore = (unit: string, end: string): Shape => {
  return (length) => unit.repeat(Math.max(1, Math.floor(length / unit.length))) + end;
};

function distinctParts(length: number, part: (i: number) => string, separator: string): string {
  const parts: string[] = [];
  for (let size = 0, i = 0; size < length; i++) {
    const text = part(i);
    parts.push(text);
    size += text.length + separator.length;
  }
  return parts.join(separator);
}

const distinct = (part: (i: number) => string, separator: string): Shape => {
  return (length) => distinctParts(length, part, separator);
};

/** Combining marks in the order that canonical ordering has to reverse (UAX #15). */
const reversedMarks: Shape = (length) =>
  `a${"\u0315".repeat(Math.floor(length / 2))}${"\u0300".repeat(Math.floor(length / 2))}`;

/** Two shapes in turns, drawn at random. A long run finds combinations that the list does not name. */
const mixed: Shape = (length, random) => {
  const draw = () => Object.values(textShapes)[randomBetween(random, 0, 44)] ?? repeat("a");
  const [one, other] = [draw(), draw()];
  const turns = randomBetween(random, 1, 20);
  const part = Math.floor(length / turns / 2);
  return Array.from({ length: turns }, () => one(part, random) + other(part, random)).join("");
};

/** Texts that are slow for some algorithm: quadratic normalization, backtracking, many parts, long expansions. */
export const textShapes: Readonly<Record<string, Shape>> = {
  letters: repeat("a"),
  blanks: runBefore(" ", "a"),
  innerBlanks: (length) => `a${" ".repeat(length)}a`,
  tabs: runBefore("\t", "!"),
  commas: repeat(","),
  commasAndBlanks: repeat(" ,\t"),
  semicolons: repeat("; "),
  slashes: repeat("/"),
  dots: repeat("."),
  innerDots: (length) => `a${".".repeat(length)}a`,
  innerEscapedBlanks: (length) => `a${"%20".repeat(length / 3)}a`,
  escapedSlashes: repeat("%2f"),
  methods: repeat("DELETE,"),
  labels: runBefore("a.", "!"),
  hyphens: runBefore("a-", "!"),
  parentDirectories: repeat("../"),
  escapedParents: repeat("%2e%2e%2f"),
  segments: repeat("/a"),
  dottedSegments: repeat("/a. ."),
  percents: repeat("%"),
  doubleEscapes: repeat("%2525"),
  escapedMarks: (length) => "%CC%95".repeat(length / 12) + "%CC%80".repeat(length / 12),
  escapedExpansions: repeat("%EF%B7%BA"),
  brokenUtf8: repeat("%F0%9F"),
  marks: reversedMarks,
  alternatingMarks: repeat("\u0315\u0300"),
  expansions: repeat("\ufdfa"),
  caseExpansions: repeat("\u0390\u00df\u0149"),
  hangul: repeat("\u1100\u1161\u11a8"),
  emoji: repeat("\u{1f469}\u200d"),
  rightToLeft: repeat("\u202e\u0661"),
  equals: repeat("="),
  assignments: distinct((i) => `a${i}=${i}`, "&"),
  repeatedAssignments: repeat("a=b&"),
  cookies: distinct((i) => `c${i}=${i}`, "; "),
  repeatedCookies: repeat("__Host-hf_at=a; "),
  quotes: repeat('"'),
  backslashes: repeat("\\"),
  quotedPairs: runBefore('\\"', "!"),
  addresses: distinct((i) => `10.0.${i % 256}.${i % 251}`, ", "),
  proxies: repeat("127.0.0.1, "),
  colons: repeat(":"),
  ipv6: repeat("1:"),
  zones: runBefore("::1%", "a"),
  digits: repeat("9"),
  exponents: repeat("1e999,"),
  schemes: repeat("Bearer "),
  joinedSchemes: repeat("a, Bearer b"),
  basics: repeat("Basic "),
  mediaTypes: repeat("*/*;q=0.1,"),
  stars: repeat("(a+)+*?"),
  scopes: distinct((i) => `s${i}`, " "),
  random: (length, random) =>
    Array.from({ length }, () => String.fromCharCode(randomBetween(random, 33, 126))).join(""),
  mixed,
};

/** JSON texts that are slow to parse, check or copy. `member` is a member that the endpoint reads. */
export const jsonShapes: Readonly<Record<string, (length: number, member: string) => string>> = {
  nestedArrays: (length) => "[".repeat(length / 2) + "]".repeat(length / 2),
  nestedInMember: (length, member) => `{"${member}":${'{"a":'.repeat(length / 6)}1${"}".repeat(length / 6)}}`,
  smallMembers: (length, member) => {
    const members = distinctParts(length - 20, (i) => `"${i.toString(36)}":1`, ",");
    return `{${members},"${member}":1}`;
  },
  duplicates: (length, member) => `{${`"${member}":"a",`.repeat(length / (member.length + 7))}"b":1}`,
  prototypes: (length) => `{${'"__proto__":{},'.repeat(length / 15)}"b":1}`,
  bigNumbers: (length, member) => `{"${member}":[${"1e308,".repeat(length / 6)}1]}`,
  longNumber: (length, member) => `{"${member}":${"9".repeat(length)}}`,
  longFraction: (length, member) => `{"${member}":0.${"0".repeat(length)}1}`,
  smallItems: (length, member) => `{"${member}":[${"1,".repeat(length / 2)}1]}`,
  emptyItems: (length, member) => `{"${member}":[${"{},".repeat(length / 3)}1]}`,
  strings: (length, member) => `{"${member}":[${'"",'.repeat(length / 3)}""]}`,
  escapes: (length, member) => `{"${member}":"${"\\u0041".repeat(length / 6)}"}`,
  surrogates: (length, member) => `{"${member}":"${"\\ud800".repeat(length / 6)}"}`,
  longName: (length) => `{"${"a".repeat(length)}":1}`,
  unfinished: (length) => `{"a":"${"\\\\".repeat(length / 2)}`,
  blanks: (length) => `{${" ".repeat(length)}}`,
};
