import { text } from "node:stream/consumers";
import { UsageError } from "./command.ts";

/** Standard input as a whole, without its last line break. */
export async function readInput(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, "");
}

/** A new password: asked for twice on a terminal, without echo; else standard input. Never from the command line. */
export async function newPassword(): Promise<string> {
  if (!process.stdin.isTTY) return await readInput();
  const password = await ask("New password: ");
  if (password !== (await ask("Once more: "))) throw new UsageError("the two passwords differ");
  return password;
}

/** Reads a line from the terminal without showing it. */
async function ask(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setEncoding("utf8").setRawMode(true).resume();
  let line = "";
  try {
    return await new Promise<string>((resolve, reject) => {
      const read = (keys: string) => {
        for (const key of keys) {
          if (key === "\r" || key === "\n" || key === "\u0004") return resolve(line);
          if (key === "\u0003") return reject(new UsageError("given up"));
          if (key === "\u007f" || key === "\b") line = line.replace(/.$/su, "");
          else if (key >= " ") line += key;
        }
      };
      stdin.on("data", read);
    });
  } finally {
    stdin.removeAllListeners("data").setRawMode(false).pause();
    stderr.write("\n");
  }
}
