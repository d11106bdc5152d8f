import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, request as sendRequest } from "node:http";
import { join } from "node:path";
import { freePort } from "../../test/support/free-port.ts";
import type { LongestTurns } from "./turn-watch.ts";

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as a form, another value as JSON. */
  readonly body?: unknown;
  readonly admin?: boolean;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** The service in a child process, and what its event loop did. */
export class LargeService {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #adminPort: number;

  private constructor(child: ChildProcess, port: number, adminPort: number) {
    this.#child = child;
    this.#port = port;
    this.#adminPort = adminPort;
  }

  /** Starts the process. `whenStarted` resolves when every part of the service works. */
  static async spawn(
    settings: Readonly<Record<string, string>>,
    watch: "turns" | "ticks" = "turns",
  ): Promise<{ service: LargeService; whenStarted: Promise<void> }> {
    const [port, adminPort] = [await freePort(), await freePort()];
    const env = {
      ...process.env,
      ...settings,
      HOLDFAST_PORT: String(port),
      HOLDFAST_ADMIN_PORT: String(adminPort),
    };
    const child = fork(join(import.meta.dirname, "service.ts"), [watch], {
      env,
      execArgv: ["--no-warnings"],
    });
    const whenStarted = new Promise<void>((resolve, reject) => {
      child.once("message", () => resolve());
      child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
    });
    return { service: new LargeService(child, port, adminPort), whenStarted };
  }

  /** Sends one request, and reads the whole answer. */
  async request(path: string, options: RequestOptions = {}): Promise<Reply> {
    const { method = "GET", headers = {}, body, admin = false } = options;
    const type = typeof body === "string" ? "application/x-www-form-urlencoded" : "application/json";
    const content = typeof body === "string" ? body : JSON.stringify(body);
    const port = admin ? this.#adminPort : this.#port;
    return await new Promise((resolve, reject) => {
      const request = sendRequest(
        {
          host: "127.0.0.1",
          port,
          path,
          method,
          agent,
          headers: { ...(body !== undefined && { "content-type": type }), ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
          });
        },
      );
      request.on("error", reject);
      request.end(content);
    });
  }

  /** The longest turns since the last call. */
  async takeTurns(): Promise<LongestTurns> {
    return (await this.#ask("take")).turns;
  }

  /** Starts the clean-up that otherwise runs every ten minutes. */
  async maintain(): Promise<void> {
    await this.#ask("maintain");
  }

  async memory(): Promise<number> {
    return (await this.#ask("take")).rssBytes;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async #ask(question: "take" | "maintain"): Promise<{ turns: LongestTurns; rssBytes: number }> {
    const answered = once(this.#child, "message");
    this.#child.send(question);
    const [answer] = (await answered) as [{ turns: LongestTurns; rssBytes: number }];
    return answer;
  }
}
