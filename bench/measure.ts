import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";

/** One way to do the work. `run` contains its own loop, so that the harness adds no cost to an iteration. */
export interface Contender {
  readonly name: string;
  readonly run: (iterations: number) => void | Promise<void>;
  /** The greatest ratio to the floor that counts as a success. */
  readonly target?: number;
  /** A second floor, by name, and the greatest ratio to it that counts as a success. */
  readonly against?: { readonly name: string; readonly target: number };
  /** A round consists of a multiple of this many iterations. Default 1. */
  readonly unit?: number;
  /** Whether an iteration waits for a disk, a socket or a thread. Its rounds count however little the processor did. */
  readonly waits?: boolean;
}

export interface Row {
  readonly name: string;
  /** Median time of one iteration, in microseconds. */
  readonly micros: number;
  /** Median processor time of this process for one iteration, in microseconds. `null` when the bench measures it itself. */
  readonly cpuMicros: number | null;
  /** Median, over the rounds, of this contender's time divided by the floor's time in the same round. */
  readonly ratio: number;
  /** The quartiles of the same ratios. */
  readonly quartiles: readonly [number, number];
  /** The rounds that count: no other program had the processor, for the contender and for the floor. */
  readonly rounds: number;
  readonly target: number | null;
  /** The same ratio to the second floor. */
  readonly against: { readonly name: string; readonly ratio: number; readonly target: number } | null;
}

export interface Measurement {
  readonly question: string;
  /** The floor first. */
  readonly rows: readonly Row[];
}

/** Short, so that other programs disturb all contenders alike, and long compared with the clock's resolution. */
const ROUND_MS = 2;
/** On a busy machine the threads of the compiler come late, so a contender is warmed up by time and not by iterations. */
const WARM_UP_MS = 600;
/**
 * In an undisturbed round this process has a processor for nearly the whole time. In another round a different program
 * had it, and the round says more about that program.
 */
const LEAST_CPU_SHARE = 0.95;
const MAX_ATTEMPTS = 6;

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "301" },
    most: { type: "string", default: "100000" },
    only: { type: "string", default: "" },
  },
});

/** The greatest number of tokens of growth.ts. */
export const mostTokens: number = Number(flags.most);

/** Whether the measurements of this name are wanted. `--only <text>` leaves out those whose name lacks the text. */
export function isWanted(name: string): boolean {
  return name.includes(flags.only);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at % 1);
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The times of one round, in microseconds for an iteration. */
interface RoundTime {
  readonly micros: number;
  readonly cpuMicros: number;
  readonly isDisturbed: boolean;
}

async function time(contender: Contender, iterations: number): Promise<RoundTime> {
  const cpuStart = process.cpuUsage();
  const start = process.hrtime.bigint();
  await contender.run(iterations);
  const wall = Number(process.hrtime.bigint() - start) / 1000;
  const { user, system } = process.cpuUsage(cpuStart);
  return {
    micros: wall / iterations,
    cpuMicros: (user + system) / iterations,
    isDisturbed: contender.waits !== true && user + system < wall * LEAST_CPU_SHARE,
  };
}

/** Repeats a disturbed round a few times, so that a round counts for all contenders also on a busy machine. */
async function timeUndisturbed(contender: Contender, iterations: number): Promise<RoundTime> {
  for (let attempt = 1; ; attempt++) {
    const round = await time(contender, iterations);
    if (!round.isDisturbed || attempt === MAX_ATTEMPTS) return round;
  }
}

/** Warms the contender up and returns how many iterations fill a round, by its fastest round so far. */
async function calibrate(contender: Contender): Promise<number> {
  const { unit = 1 } = contender;
  const end = performance.now() + WARM_UP_MS;
  let iterations = unit;
  let best = Infinity;
  for (let round = 0; round < 12 || performance.now() < end; round++) {
    best = Math.min(best, (await time(contender, iterations)).micros);
    const fitting = (ROUND_MS * 1000) / Math.max(best, 0.001);
    iterations = unit * Math.max(1, Math.round(fitting / unit));
  }
  return iterations;
}

/**
 * Times the contenders in interleaved rounds, each round in another order, so that other programs disturb all of them
 * alike. Disturbed rounds do not count. The first contender is the floor that the others are divided by.
 */
export async function measure(question: string, contenders: readonly Contender[]): Promise<Measurement> {
  const runners: { contender: Contender; iterations: number; rounds: RoundTime[] }[] = [];
  for (const contender of contenders) {
    runners.push({ contender, iterations: await calibrate(contender), rounds: [] });
  }
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (let turn = 0; turn < runners.length; turn++) {
      const runner = runners[(round + turn) % runners.length];
      runner?.rounds.push(await timeUndisturbed(runner.contender, runner.iterations));
    }
  }
  return compare(
    question,
    contenders,
    runners.map(({ rounds }) => rounds.map(({ micros, isDisturbed }) => (isDisturbed ? Number.NaN : micros))),
    runners.map(({ rounds }) => median(rounds.map(({ cpuMicros }) => cpuMicros))),
  );
}

/**
 * Compares times (microseconds, by contender and round) with the first contender's time in the same round. A round that
 * does not count is `NaN`.
 */
export function compare(
  question: string,
  contenders: readonly Pick<Contender, "name" | "target" | "against">[],
  times: readonly (readonly number[])[],
  cpuMicros: readonly number[] = [],
): Measurement {
  const rows = contenders.map(({ name, target, against }, i): Row => {
    const ratiosTo = (floor: number) =>
      (times[i] ?? []).map((one, round) => one / (times[floor]?.[round] ?? Number.NaN));
    const ratios = ratiosTo(0);
    const second = contenders.findIndex((other) => other.name === against?.name);
    return {
      name,
      micros: median(times[i] ?? []),
      cpuMicros: cpuMicros[i] ?? null,
      ratio: median(ratios),
      quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
      rounds: ratios.filter((ratio) => !Number.isNaN(ratio)).length,
      target: target ?? null,
      against: against === undefined ? null : { ...against, ratio: median(ratiosTo(second)) },
    };
  });
  print(question, rows);
  return { question, rows };
}

function judge(ratio: number, target: number | null): string {
  if (target === null) return "";
  return `  target ≤ ${Number(target.toFixed(2))} ×${ratio <= target ? "" : "  MISSED"}`;
}

function print(question: string, rows: readonly Row[]): void {
  console.log(`\n${question}`);
  for (const { name, micros, cpuMicros, ratio, quartiles, rounds, target, against } of rows) {
    const cpu = cpuMicros === null ? "" : ` (cpu ${cpuMicros.toFixed(2)})`;
    const spread = `[${quartiles.map((one) => one.toFixed(2)).join("–")}] of ${rounds}`;
    console.log(
      `  ${name.padEnd(34)}${micros.toFixed(2).padStart(9)} µs${cpu}${ratio.toFixed(2).padStart(8)} × ${spread}${judge(ratio, target)}`,
    );
    if (against === null) continue;
    console.log(
      `    against ${against.name}: ${against.ratio.toFixed(2)} ×${judge(against.ratio, against.target)}`,
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
