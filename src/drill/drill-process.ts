import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../core/errors.ts";

/** A process of the drill: this Node, running a module beside this one. It ends with us, whichever way we end. */
export class DrillProcess {
  readonly #process: ChildProcess;
  readonly #kill = () => void this.#process.kill("SIGKILL");

  private constructor(module: string) {
    // From source the modules end in .ts, built in .js.
    const file = fileURLToPath(new URL(module + extname(import.meta.url), import.meta.url));
    // Whoever loses its parent ends by itself; SIGKILL also ends who is stopped.
    process.once("exit", this.#kill);
    this.#process = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  /** Starts a module, tells it `config` (never on a command line: others see those), and waits for its answer. */
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

  /** Sends a message and waits for the next one back. */
  async call(message: unknown): Promise<unknown> {
    const gone = new AbortController();
    const answered = once(this.#process, "message", gone);
    const exited = once(this.#process, "exit", gone);
    try {
      this.#process.send(message as object);
      const first = await Promise.race([answered, exited.then(() => null)]);
      if (first === null)
        throw new HoldfastError("upstream_failed", "a process of the drill ended by itself");
      return first[0];
    } finally {
      gone.abort();
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

/** In a child: answers each message, until the parent is gone. What rejects ends the process. */
export function answerParent(answer: (message: unknown) => Promise<unknown>): void {
  process.once("disconnect", () => process.exit());
  // A terminal sends it to us, too; the parent has things to tidy up first.
  process.on("SIGINT", () => {});
  const reply = async (message: unknown) => void process.send?.(await answer(message));
  process.on("message", (message) => void reply(message));
}
