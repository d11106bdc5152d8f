import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../core/errors.ts";
import { startedModule } from "../core/package-files.ts";

/** A child process that runs a module of this directory. It ends with this process, however this process ends. */
export class DrillProcess {
  readonly #process: ChildProcess;
  readonly #kill = () => void this.#process.kill("SIGKILL");

  private constructor(module: string) {
    const file = fileURLToPath(startedModule(`drill/${module}`));
    // A child without a parent exits, but a stopped child cannot. SIGKILL ends both.
    process.once("exit", this.#kill);
    this.#process = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  /**
   * Starts a module, sends it `config`, and waits for its answer. The configuration holds a secret, so it never stands on
   * a command line, which other users can read.
   */
  static async start(module: string, config: unknown): Promise<{ child: DrillProcess; answer: unknown }> {
    const child = new DrillProcess(module);
    try {
      return { child, answer: await child.call(config) };
    } catch (error) {
      await child.end();
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Sends a message and waits for the answer. Rejects with `upstream_failed` when the process ends before. */
  async call(message: unknown): Promise<unknown> {
    const settled = new AbortController();
    const answered = once(this.#process, "message", settled);
    const exited = once(this.#process, "exit", settled);
    try {
      this.#process.send(message as object);
      const first = await Promise.race([answered, exited.then(() => null)]);
      if (first === null)
        throw new HoldfastError("upstream_failed", "a process of the drill ended unexpectedly");
      return first[0];
    } finally {
      settled.abort();
      await Promise.allSettled([answered, exited]);
    }
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(signal);
  }

  async end(): Promise<void> {
    process.off("exit", this.#kill);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#kill();
    await exited;
  }
}

/** Answers each message of the parent process. The process ends with its parent, and when `answer` rejects. */
export function answerParent(answer: (message: unknown) => Promise<unknown>): void {
  process.once("disconnect", () => process.exit());
  // A terminal sends SIGINT to the whole process group. The parent closes its children itself.
  process.on("SIGINT", () => {});
  const reply = async (message: unknown) => void process.send?.(await answer(message));
  process.on("message", (message) => void reply(message));
}
