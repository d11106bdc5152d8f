import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";

/** One way to do the work. `run` contains its own loop, so that the harness adds no cost to an iteration. */
export interface Contender {
  readonly name: string;
  readonly run: (iterations: number) => void | Promise<void>;
  /** The greatest ratio to the floor that counts as a success. */
  readonly target?: number;
  /** A round consists of a multiple of this many iterations. Default 1. */
  readonly unit?: number;
}

export interface Row {
  readonly name: string;
  /** Median time of one iteration, in microseconds. */
  readonly micros: number;
  /** Median, over the rounds, of this contender's time divided by the floor's time in the same round. */
  readonly ratio: number;
  readonly target: number | null;
}

export interface Measurement {
  readonly question: string;
  /** The floor first. */
  readonly rows: readonly Row[];
}

/** Short, so that other programs disturb all contenders alike, and long compared with the clock's resolution. */
const ROUND_MS = 4;

const { values: flags } = parseArgs({
  options: { json: { type: "string" }, rounds: { type: "string", default: "101" } },
});

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

async function time(contender: Contender, iterations: number): Promise<number> {
  const start = process.hrtime.bigint();
  await contender.run(iterations);
  return Number(process.hrtime.bigint() - start) / 1000 / iterations;
}

/** Warms the contender up and returns how many iterations fill a round. */
async function calibrate(contender: Contender): Promise<number> {
  const { unit = 1 } = contender;
  let iterations = unit;
  let micros = await time(contender, iterations);
  for (let warm = 0; warm < 12; warm++) {
    const fitting = (ROUND_MS * 1000) / Math.max(micros, 0.001);
    iterations = unit * Math.max(1, Math.round(fitting / unit));
    micros = await time(contender, iterations);
  }
  return iterations;
}

/**
 * Times the contenders in interleaved rounds, each round in another order, so that other programs disturb all of them
 * alike. The first contender is the floor that the others are divided by.
 */
export async function measure(question: string, contenders: readonly Contender[]): Promise<Measurement> {
  const runners: { contender: Contender; iterations: number; micros: number[] }[] = [];
  for (const contender of contenders) {
    runners.push({ contender, iterations: await calibrate(contender), micros: [] });
  }
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (let turn = 0; turn < runners.length; turn++) {
      const runner = runners[(round + turn) % runners.length];
      runner?.micros.push(await time(runner.contender, runner.iterations));
    }
  }
  return compare(
    question,
    contenders,
    runners.map(({ micros }) => micros),
  );
}

/** Compares times (microseconds, by contender and round) with the first contender's time in the same round. */
export function compare(
  question: string,
  contenders: readonly Pick<Contender, "name" | "target">[],
  times: readonly (readonly number[])[],
): Measurement {
  const floor = times[0] ?? [];
  const rows = contenders.map(({ name, target }, i) => {
    const micros = times[i] ?? [];
    const ratios = micros.map((one, round) => one / (floor[round] ?? Number.NaN));
    return { name, micros: median(micros), ratio: median(ratios), target: target ?? null };
  });
  print(question, rows);
  return { question, rows };
}

function print(question: string, rows: readonly Row[]): void {
  console.log(`\n${question}`);
  for (const { name, micros, ratio, target } of rows) {
    const judgement =
      target === null ? "" : `  target ≤ ${Number(target.toFixed(2))} ×${ratio <= target ? "" : "  MISSED"}`;
    console.log(
      `  ${name.padEnd(34)}${micros.toFixed(2).padStart(9)} µs${ratio.toFixed(2).padStart(8)} ×${judgement}`,
    );
  }
}

function machine(): string {
  const cores = cpus();
  return `${cores[0]?.model.trim() ?? "unknown processor"} × ${cores.length}, ${process.platform} ${process.arch}, Node ${process.version}`;
}

/** Prints the machine, and writes all measurements to the file of `--json <file>`. */
export function report(measurements: readonly Measurement[]): void {
  console.log(`\n${machine()}`);
  if (flags.json === undefined) return;
  writeFileSync(flags.json, `${JSON.stringify({ machine: machine(), measurements }, null, 2)}\n`);
}
