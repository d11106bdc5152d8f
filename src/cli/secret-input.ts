import { text } from "node:stream/consumers";
import { UsageError } from "./command.ts";

/** Standard input as a whole, without its last line break. */
export async function readInput(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, "");
}

/** Asked for on a terminal, without echo; else standard input. Never from the command line. With `twice` for a new one. */
export async function readSecret(what: string, { twice }: { twice: boolean }): Promise<string> {
  if (!process.stdin.isTTY) return await readInput();
  const keys = readHiddenKeys();
  try {
    const secret = await readLine(`${what}: `, keys);
    if (twice && secret !== (await readLine("Once more: ", keys))) throw new UsageError("the two differ");
    return secret;
  } finally {
    await keys.return();
  }
}

/** What is typed, key by key, not shown. */
async function* readHiddenKeys(): AsyncGenerator<string, void, void> {
  process.stdin.setEncoding("utf8").setRawMode(true);
  try {
    for await (const keys of process.stdin) yield* keys as string;
  } finally {
    process.stdin.setRawMode(false);
  }
}

async function readLine(question: string, keys: AsyncGenerator<string, void, void>): Promise<string> {
  process.stderr.write(question);
  let line = "";
  try {
    for (;;) {
      const key = (await keys.next()).value ?? "\r";
      if (key === "\r" || key === "\n" || key === "\u0004") return line;
      if (key === "\u0003") throw new UsageError("given up");
      if (key === "\u007f" || key === "\b") line = line.replace(/.$/su, "");
      else if (key >= " ") line += key;
    }
  } finally {
    process.stderr.write("\n");
  }
}
