import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, request, type RequestOptions } from "node:http";

/** The requests that are under way at once in a server process. */
export const IN_FLIGHT = 32;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Sends requests to a port of this machine over a few connections. */
export class HttpClient {
  readonly #port: number;
  readonly #inFlight: number;
  readonly #agent: Agent;

  constructor(port: number, inFlight: number = IN_FLIGHT) {
    this.#port = port;
    this.#inFlight = inFlight;
    this.#agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  }

  async send(options: RequestOptions, body?: string): Promise<Answer> {
    const target = { ...options, port: this.#port, host: "127.0.0.1", agent: this.#agent };
    return await new Promise((resolve, reject) => {
      const sent = request(target, (res) => {
        let text = "";
        res
          .setEncoding("latin1")
          .on("data", (part: string) => (text += part))
          .once("end", () => resolve({ status: res.statusCode ?? 0, text }));
      });
      sent.once("error", reject).end(body);
    });
  }

  /** Sends `count` requests, `inFlight` at a time. Each worker sends one after the other. */
  async sendMany(count: number, sendOne: (worker: number) => Promise<void>): Promise<void> {
    let left = count;
    await Promise.all(
      Array.from({ length: this.#inFlight }, async (_, worker) => {
        while (left-- > 0) await sendOne(worker);
      }),
    );
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** What a server process sends when it listens. */
export interface ServerAddress {
  readonly port: number;
}

/** User and system time in microseconds. */
export interface CpuMicros {
  /** The time of the process, all threads included. */
  readonly all: number;
  /** The time of its main thread. */
  readonly main: number;
}

/** A server in a process of its own, whose processor time is measured. */
export class ServerProcess<A extends ServerAddress> {
  readonly address: A;
  readonly client: HttpClient;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, address: A) {
    this.#child = child;
    this.address = address;
    this.client = new HttpClient(address.port);
  }

  /** Starts `file`, which calls `reportServer` when it finds its mode in the environment. */
  static async start<A extends ServerAddress>(file: string, mode: object): Promise<ServerProcess<A>> {
    const child = fork(file, [], { env: { ...process.env, SERVER_MODE: JSON.stringify(mode) } });
    child.once("exit", (code) => {
      if (code !== 0 && code !== null) throw new Error(`the server ended with ${code}`);
    });
    const [address] = (await once(child, "message")) as [A];
    return new ServerProcess(child, address);
  }

  async #cpuMicros(): Promise<CpuMicros> {
    this.#child.send("cpu");
    const [micros] = (await once(this.#child, "message")) as [CpuMicros];
    return micros;
  }

  /** Sends `count` requests and returns the processor microseconds of the server for each. */
  async measure(count: number, sendOne: (worker: number) => Promise<void>): Promise<CpuMicros> {
    const before = await this.#cpuMicros();
    await this.client.sendMany(count, sendOne);
    const after = await this.#cpuMicros();
    return { all: (after.all - before.all) / count, main: (after.main - before.main) / count };
  }

  stop(): void {
    this.client.close();
    this.#child.disconnect();
  }
}

/** The mode of this process. `null` in the process that measures. */
export function serverMode(): unknown {
  const mode = process.env["SERVER_MODE"];
  return mode === undefined ? null : JSON.parse(mode);
}

/** Tells the measuring process that the server listens, and answers its questions. */
export function reportServer(address: ServerAddress): void {
  const sum = ({ user, system }: NodeJS.CpuUsage) => user + system;
  process.on("message", () => {
    process.send?.({ all: sum(process.cpuUsage()), main: sum(process.threadCpuUsage()) } satisfies CpuMicros);
  });
  process.on("disconnect", () => process.exit());
  process.send?.(address);
}
