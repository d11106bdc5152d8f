import { text } from "node:stream/consumers";
import { UsageError } from "./command.ts";

/** Reads standard input to its end, without the final line break. */
export async function readInput(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, "");
}

/**
 * Reads a secret from the terminal without echo, or from standard input, and never from the command line. With `twice`
 * the terminal asks again, for a new secret.
 */
export async function readSecret(what: string, { twice }: { twice: boolean }): Promise<string> {
  if (!process.stdin.isTTY) return await readInput();
  // A key that is typed as soon as the question appears must not be shown either.
  process.stdin.setEncoding("utf8").setRawMode(true);
  const keys = readKeys();
  try {
    const secret = await readLine(`${what}: `, keys);
    if (twice && secret !== (await readLine("Repeat: ", keys))) throw new UsageError("the two inputs differ");
    return secret;
  } finally {
    await keys.return();
    process.stdin.setRawMode(false);
  }
}

/** Yields the typed keys one by one. */
async function* readKeys(): AsyncGenerator<string, void, void> {
  for await (const keys of process.stdin) yield* keys as string;
}

async function readLine(question: string, keys: AsyncGenerator<string, void, void>): Promise<string> {
  process.stderr.write(question);
  let line = "";
  try {
    for (;;) {
      const key = (await keys.next()).value ?? "\r";
      if (key === "\r" || key === "\n" || key === "\u0004") return line;
      if (key === "\u0003") throw new UsageError("interrupted");
      if (key === "\u007f" || key === "\b") line = line.replace(/.$/su, "");
      else if (key >= " ") line += key;
    }
  } finally {
    process.stderr.write("\n");
  }
}
