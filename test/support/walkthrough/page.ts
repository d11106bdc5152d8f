import { readFileSync } from "node:fs";

/** A step of a page that a reader follows. `line` is where it begins on the page. */
export type Step =
  /** A file that the reader saves. */
  | { readonly kind: "file"; readonly line: number; readonly name: string; readonly text: string }
  /** Commands that end. Each prints what `output` shows, and answers with the status in its comment. */
  | {
      readonly kind: "run";
      readonly line: number;
      readonly commands: readonly string[];
      readonly output: string;
    }
  /** A program that goes on. It has started when it printed `output`. */
  | { readonly kind: "start"; readonly line: number; readonly command: string; readonly output: string }
  /** The end of the program whose command contains this text, as by Ctrl-C. */
  | { readonly kind: "stop"; readonly line: number; readonly command: string }
  /** What the reader does in a browser. The test has a function of this name. */
  | { readonly kind: "browser"; readonly line: number; readonly name: string };

interface Block {
  readonly line: number;
  readonly language: string;
  /** The words behind the language. */
  readonly words: string;
  readonly text: string;
}

/*
 * How a page marks its steps. A site and a repository host show none of the marks.
 *
 * - A block whose first line is a comment with a file name is a file.
 * - `sh run` and `sh start` are commands. The next block `text output` is what they print.
 * - `[Label]` behind the language of a block is the label of its tab.
 * - `no-check: …` says why the block is not compiled in a test of its own.
 * - `elsewhere` marks a block that is no step: it needs another machine or account.
 * - `<!-- stop: TEXT -->` and `<!-- browser: NAME -->` are the other steps.
 */
const marks = /^```(\w+)(?: ([^\n]*))?\n(.*?)^```$|^<!-- (stop|browser): (.*?) -->$/gms;
const fileName = /^(?:\/\/|#|<!--) ([\w./-]*\.\w+)(?: -->)?$/m;
const label = /\[([^\]]+)\]/;

/** The labels of the tabs of a page, in the order of their first occurrence. A page without tabs has one label, `""`. */
export function readTabs(path: string): string[] {
  const labels = new Set<string>();
  for (const { 2: words = "" } of readFileSync(path, "utf8").matchAll(marks)) {
    const found = label.exec(words)?.[1];
    if (found !== undefined) labels.add(found);
  }
  return labels.size === 0 ? [""] : [...labels];
}

/** The steps of a page for the reader who chooses one tab. Throws for a block that is no step and is not marked as such. */
export function readSteps(path: string, tab: string): Step[] {
  const page = readFileSync(path, "utf8");
  const steps: Step[] = [];
  for (const {
    index,
    1: language = "",
    2: words = "",
    3: text = "",
    4: mark,
    5: value = "",
  } of page.matchAll(marks)) {
    const line = page.slice(0, index).split("\n").length;
    if (mark === "stop") steps.push({ kind: "stop", line, command: value });
    else if (mark === "browser") steps.push({ kind: "browser", line, name: value });
    else if ((label.exec(words)?.[1] ?? tab) === tab) addBlock(steps, path, { line, language, words, text });
  }
  return steps;
}

function addBlock(steps: Step[], path: string, { line, language, words, text }: Block): void {
  const marked = words
    .replace(label, "")
    .replace(/no-check: .*/, "")
    .trim();
  if (marked === "elsewhere") return;
  const name = fileName.exec(text.split("\n", 1)[0] ?? "")?.[1];
  if (language === "sh" && marked === "run") {
    steps.push({ kind: "run", line, commands: splitCommands(text), output: "" });
  } else if (language === "sh" && marked === "start") {
    steps.push({ kind: "start", line, command: text.trim(), output: "" });
  } else if (marked === "output") {
    const before = steps.pop();
    if (before === undefined || !("output" in before)) {
      throw new Error(`${path}:${line}: an output follows the commands that print it`);
    }
    steps.push({ ...before, output: text });
  } else if (name !== undefined) {
    steps.push({ kind: "file", line, name, text });
  } else {
    throw new Error(`${path}:${line}: the block is no step, and is not marked "elsewhere"`);
  }
}

/** One command a line. A line that ends with a backslash goes on in the next one. */
function splitCommands(text: string): string[] {
  return text
    .replaceAll("\\\n", "\\\0")
    .split("\n")
    .map((command) => command.replaceAll("\\\0", "\\\n"))
    .filter((command) => command.trim() !== "" && !command.startsWith("#"));
}
