import { spawnSync } from "node:child_process";

/** A tab of a browser that playwright does not drive. */
export interface Tab {
  /** Evaluates an expression, waits for its promise, and returns the value as JSON carries it. */
  evaluate<T>(expression: string): Promise<T>;
  close(): Promise<void>;
}

/** A browser of the system's packages. */
export interface SystemBrowser {
  readonly version: string;
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
}

/** The reason to skip the tests of a browser. `false` when all of its programs are installed. */
export function missing(programs: readonly string[]): string | false {
  const absent = programs.filter((program) => spawnSync("which", [program]).status !== 0);
  return absent.length === 0 ? false : `not installed: ${absent.join(", ")}`;
}

/** The JSON of an expression's value, with `undefined` as `null`. */
export const asJson = (expression: string): string =>
  `Promise.resolve(${expression}).then((value) => JSON.stringify(value ?? null))`;
