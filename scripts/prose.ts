/*
 * Counts sentences in comments that are not plain English: compressed, archaic, or longer than 25 words.
 *
 * `node scripts/prose.ts [--list] [--limit 2] [folder …]` prints one line per room. It exits with 1 when the share of
 * such sentences, in percent, reaches the limit. `--list` prints each sentence with its file and line.
 */
import { globSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";

interface Sentence {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** The faults, and the pattern that finds each. CONTRIBUTING.md gives the rules in words. */
const faults: Readonly<Record<string, RegExp>> = {
  "opens with a relative clause": /^(Who|Whoever|What|Whatever|Those who|Where nobody)\b(?!.*\?$)/,
  "opens with a preposition and has no clause of its own":
    /^(Of|By|For|In|With|Without|From|To|Under|Beyond|Between|Before|After|Behind|Besides)\b[^,]{0,90}$/,
  "calls code a person": /\b(nobody|somebody|everybody|anybody|somebody else|nobody else)\b/i,
  "negates a noun": /\b(is|are|was|were) (no|none)\b(?! (longer|more))/,
  "uses an archaic word":
    /\b(lest|besides|meanwhile|ails?|all the same|at hand|to be had|be it|but for|neither|whom|hence|thereof|therein|shall|may yet|goes on|go on|let in|let pass|lets? .* pass|by itself|of its own|of their own|whosever|whose it is)\b/i,
};

const MAX_WORDS = 25;

/** The comments of a TypeScript file. Adjacent line comments are one comment. */
function comments(source: string): { readonly line: number; readonly text: string }[] {
  const found: { line: number; text: string }[] = [];
  const lineOf = (index: number) => source.slice(0, index).split("\n").length;
  for (const { index, 1: body = "" } of source.matchAll(/\/\*\*?([^]*?)\*\//g)) {
    const text = body
      .replaceAll(/^\s*\*? ?/gm, "")
      .replaceAll(/```[^]*?```/g, "")
      .replaceAll(/@\w+[^\n]*/g, "");
    found.push({ line: lineOf(index), text });
  }
  let open: { line: number; text: string } | null = null;
  for (const [index, line] of source.split("\n").entries()) {
    const whole = /^\s*\/\/\s?(.*)$/.exec(line)?.[1];
    const trailing = /[;{,)] \/\/ (.+)$/.exec(line)?.[1];
    if (whole !== undefined) {
      if (open === null) found.push((open = { line: index + 1, text: whole }));
      else open.text += ` ${whole}`;
      continue;
    }
    open = null;
    if (trailing !== undefined) found.push({ line: index + 1, text: trailing });
  }
  return found;
}

function sentences(file: string): Sentence[] {
  return comments(readFileSync(file, "utf8")).flatMap(({ line, text }) =>
    text
      .replaceAll(/\s+/g, " ")
      .trim()
      .split(/(?<=[.;:?!])\s+(?=[A-Z`"…])/)
      .filter((sentence) => sentence.split(" ").length >= 3)
      .map((sentence) => ({ file, line, text: sentence })),
  );
}

function faultOf({ text }: Sentence): string | null {
  if (text.split(" ").length > MAX_WORDS) return `has more than ${MAX_WORDS} words`;
  return Object.entries(faults).find(([, pattern]) => pattern.test(text))?.[0] ?? null;
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: "boolean", default: false }, limit: { type: "string", default: "2" } },
});
const folders = positionals.length > 0 ? positionals : ["src"];
const all = folders.flatMap((folder) => globSync(`${folder}/**/*.{ts,tsx}`).toSorted().flatMap(sentences));
const rooms = Map.groupBy(all, ({ file }) => file.split("/").slice(0, 2).join("/"));
const percent = (part: number, whole: number) => (whole === 0 ? 0 : (100 * part) / whole).toFixed(1);

for (const [room, own] of rooms) {
  const faulty = own.filter((sentence) => faultOf(sentence) !== null);
  console.log(
    `${room.padEnd(24)} ${String(own.length).padStart(5)} sentences ${percent(faulty.length, own.length).padStart(5)} %`,
  );
  if (!flags.list) continue;
  for (const sentence of faulty) {
    console.log(`  ${sentence.file}:${sentence.line} ${faultOf(sentence)}: ${sentence.text}`);
  }
}
const faulty = all.filter((sentence) => faultOf(sentence) !== null).length;
const isOver = (100 * faulty) / Math.max(1, all.length) >= Number(flags.limit);
console.log(
  `${"together".padEnd(24)} ${String(all.length).padStart(5)} sentences ${percent(faulty, all.length).padStart(5)} % (limit ${flags.limit})`,
);
process.exitCode = isOver ? 1 : 0;
