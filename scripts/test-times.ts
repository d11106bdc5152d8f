/* The wall and processor time of the test files, for `npm test -- --slowest N`. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, relative } from "node:path";

/** Milliseconds since the machine started, summed over its processors. */
interface MachineTimes {
  readonly busy: number;
  readonly idle: number;
}

export interface TestTimes {
  /** Prints the slowest files, and the processor time of the run. `durations` has the wall milliseconds of each file. */
  print(durations: ReadonlyMap<string, number>, count: number): void;
}

function readMachine(): MachineTimes {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { busy, idle };
}

/** The seconds of processor time of each file, as its process reported them. */
function readFiles(path: string): ReadonlyMap<string, number> {
  const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  rmSync(path, { force: true });
  const times = new Map<string, number>();
  for (const line of lines) {
    const { file, own, children } = JSON.parse(line) as { file: string; own: number; children: number };
    times.set(file, (times.get(file) ?? 0) + own + children);
  }
  return times;
}

/** Starts to measure. Each test file that starts from now on adds a line with its processor time to a file. */
export function measureTimes(): TestTimes {
  const path = join(tmpdir(), `holdfast-processor-times-${process.pid}`);
  process.env["TEST_PROCESSOR_TIMES"] = path;
  const start = readMachine();
  return {
    print(durations, count) {
      const processor = readFiles(path);
      const machine = readMachine();
      const busy = (machine.busy - start.busy) / 1000;
      const idle = (machine.idle - start.idle) / 1000;
      const seconds = (value: number) => value.toFixed(1).padStart(7);
      const slowest = [...durations].toSorted(([, a], [, b]) => b - a).slice(0, count);
      console.log("   wall, processor: seconds of each file");
      for (const [file, ms] of slowest) {
        console.log(`${seconds(ms / 1000)} ${seconds(processor.get(file) ?? NaN)}  ${relative("", file)}`);
      }
      const wall = [...durations.values()].reduce((sum, ms) => sum + ms / 1000, 0);
      const files = [...processor.values()].reduce((sum, value) => sum + value, 0);
      const { user, system } = process.cpuUsage();
      console.log(`${seconds(wall)} ${seconds(files)}  all ${durations.size} files`);
      console.log(`        ${seconds((user + system) / 1e6)}  the runner`);
      const share = ((100 * idle) / (busy + idle)).toFixed(0);
      console.log(
        `        ${seconds(busy)}  the machine, with all other programs, and ${share} % of it was idle`,
      );
    },
  };
}
