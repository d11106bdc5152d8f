import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { serviceEnvironment } from "../support/service-process.ts";
import { cli } from "../support/cli.ts";

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs one command of the real CLI to its end. */
export async function runHoldfast(
  args: readonly string[],
  options: {
    data?: string;
    input?: string;
    settings?: Record<string, string>;
    nodeArgs?: readonly string[];
    /** The file of the command, by default that of the usual tests. */
    command?: string;
    /** The greatest size of files, in blocks of 512 or 1,024 bytes, by the shell. */
    fileBlocks?: number;
  } = {},
): Promise<CommandResult> {
  const env = serviceEnvironment(options.data ?? "never-made", options.settings);
  const file = options.command ?? cli;
  const command = [process.execPath, "--no-warnings", ...(options.nodeArgs ?? []), file, ...args];
  // A process that ignores SIGXFSZ gets EFBIG, as it would get ENOSPC from a full disk.
  const limit = `trap '' XFSZ; ulimit -f ${options.fileBlocks}; exec "$0" "$@"`;
  const shell = options.fileBlocks === undefined ? [] : ["sh", "-c", limit];
  const [program = "", ...rest] = [...shell, ...command];
  const child = spawn(program, rest, { env });
  child.stdin.end(options.input ?? "");
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, out, err };
}
