import { spawn } from "node:child_process";
import { waitForExit } from "./child-exit.ts";
import { within } from "./deadline.ts";
import { cli } from "./cli.ts";

/** How long a service may take to listen on a busy machine. */
const START_MS = 60_000;

export interface ServiceProcess {
  readonly pid: number;
  /** The base addresses of the public and of the admin listener. */
  readonly url: string;
  readonly admin: string;
  /** The output so far. */
  output(): string;
  /** Sends a signal, by default SIGTERM. Resolves with the exit code or the signal that ended the process. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

/** Settings of the environment. `undefined` removes one that tests usually have. */
type EnvironmentSettings = Readonly<Record<string, string | undefined>>;

/** The environment of a service on free loopback ports, without the `HOLDFAST_…` variables of the test process. */
export function serviceEnvironment(dataDir: string, settings: EnvironmentSettings = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_"));
  return {
    ...Object.fromEntries(inherited),
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_URL: "http://holdfast.test",
    HOLDFAST_BOOTSTRAP_USER: "alice:correct horse battery",
    HOLDFAST_DATA_DIR: dataDir,
    ...settings,
  };
}

/** Starts `holdfast serve`, or another script that prints its addresses, in a child process. Waits until it listens. */
export async function startService(
  dataDir: string,
  settings: EnvironmentSettings = {},
  command: readonly string[] = [cli, "serve"],
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, ["--no-warnings", ...command], {
    env: serviceEnvironment(dataDir, settings),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const listening = new Promise<string[]>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const found = output.match(/http:\/\/127\.0\.0\.1:\d+/g);
      if (found !== null && found.length >= 2) resolve(found);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code, signal) =>
      reject(new Error(`the service ended with ${code ?? signal}:\n${output}`)),
    );
  });
  const [url = "", admin = ""] = await within(listening, START_MS, "the start of the service").catch(
    (error: unknown) => {
      child.kill("SIGKILL");
      throw error;
    },
  );
  return {
    pid: child.pid ?? -1,
    url,
    admin,
    output: () => output,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return await waitForExit(child, "the service");
    },
  };
}
