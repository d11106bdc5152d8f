import { spawn, type ChildProcess } from "node:child_process";
import { hasEnded } from "../child-exit.ts";
import { waitUntil, within } from "../deadline.ts";

/** How long one command may take on a busy machine: the installation of a framework is the longest. */
const COMMAND_MS = 240_000;
/** How long a program may take to start, and to end. */
const START_MS = 90_000;
const END_MS = 30_000;

const MARK = "__the-command-has-ended__";

/** The terminal of a reader: variables, functions and the folder stay from one command to the next. */
export class Shell {
  readonly #bash: ChildProcess;
  #output = "";
  #folder: string;

  constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#bash = spawn("bash", ["--noprofile", "--norc"], {
      cwd: folder,
      env,
      stdio: ["pipe", "pipe", "ignore"],
      detached: true,
    });
    this.#bash.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
    this.#bash.stdin?.write("exec 2>&1\n");
  }

  /** The current folder. */
  get folder(): string {
    return this.#folder;
  }

  /** Runs a command to its end. Resolves with what it printed and its exit code. */
  async run(command: string): Promise<{ readonly output: string; readonly code: number }> {
    this.#output = "";
    this.#bash.stdin?.write(`{ ${command}\n} < /dev/null\nprintf '\\n%s %s %s\\n' ${MARK} $? "$PWD"\n`);
    const end = new RegExp(`\\n${MARK} (\\d+) (.*)\\n`);
    await waitUntil(
      async () => await Promise.resolve(hasEnded(this.#bash) || end.test(this.#output)),
      `the end of ${command}`,
      COMMAND_MS,
    );
    const found = end.exec(this.#output);
    if (found === null) throw new Error(`the shell ended in ${command}:\n${this.#output}`);
    this.#folder = found[2] ?? this.#folder;
    return { output: this.#output.slice(0, found.index).replaceAll("\r", ""), code: Number(found[1]) };
  }

  close(): void {
    endGroup(this.#bash, "SIGKILL");
  }
}

/** A program that goes on in a terminal of its own. */
export class Program {
  readonly command: string;
  readonly #bash: ChildProcess;
  readonly #ended: Promise<void>;
  #output = "";

  constructor(command: string, folder: string, env: NodeJS.ProcessEnv) {
    this.command = command;
    this.#bash = spawn("bash", ["--noprofile", "--norc", "-c", command], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [this.#bash.stdout, this.#bash.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
    }
    this.#ended = new Promise((resolve) => this.#bash.once("close", () => resolve()));
  }

  get output(): string {
    return this.#output;
  }

  /** Resolves when the output is what it must be. Rejects when the program ends before, or takes too long. */
  async printed(isDone: (output: string) => boolean): Promise<void> {
    const isOver = async () => await Promise.resolve(isDone(this.#output) || hasEnded(this.#bash));
    await waitUntil(isOver, `the output of ${this.command}`, START_MS).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}. So far:\n${this.#output}`);
    });
    if (!isDone(this.#output)) throw new Error(`${this.command} ended:\n${this.#output}`);
  }

  /** Presses Ctrl-C, and waits for the end. */
  async stop(): Promise<void> {
    endGroup(this.#bash, "SIGINT");
    await within(this.#ended, END_MS, `the end of ${this.command} after Ctrl-C`).finally(() =>
      endGroup(this.#bash, "SIGKILL"),
    );
  }

  kill(): void {
    endGroup(this.#bash, "SIGKILL");
  }
}

/** Sends a signal to a process and to all that it started. They may have ended already. */
function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
