import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What a process costs until its program has ended. */
export interface StartCost {
  readonly ms: number;
  /** Processor time. */
  readonly cpuMs: number;
}

/** Starts a process that runs an ES module, in which `given` is a global value. Returns the time since its start. */
export async function startProcess(program: string, cwd: string, given: object): Promise<StartCost> {
  const source = `
    const given = JSON.parse(process.env.GIVEN);
    ${program}
    const { user, system } = process.cpuUsage();
    console.log(JSON.stringify({ ms: performance.now(), cpuMs: (user + system) / 1000 }));
    process.exit();`;
  const env = { ...process.env, GIVEN: JSON.stringify(given) };
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", source], { cwd, env });
  return JSON.parse(stdout) as StartCost;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
