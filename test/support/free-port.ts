import { once } from "node:events";
import { createServer } from "node:net";

/*
 * Ports of 127.0.0.1 for servers that must know their port before they listen. They lie below the ephemeral ports of the
 * system, so that no outgoing connection takes one while its server is down. The bus of a Redis cluster uses the port +
 * 10,000, which lies below the ephemeral ports, too, and outside this range.
 *
 * Test files run in separate processes at the same time. Each process owns a block of ports: it listens on the first port
 * of the block for as long as it lives. The system ends the ownership when the process ends, however it ends.
 */
const [FIRST, LAST] = [10_000, 19_999];
const BLOCK_SIZE = 50;
const BLOCKS = Math.floor((LAST - FIRST + 1) / BLOCK_SIZE);

let nextPort = 0;
let blockEnd = 0;
let claiming: Promise<void> | null = null;

/** Listens on a port. Resolves to a function that ends that, or to `null` when the port is in use. */
async function listenOn(port: number): Promise<(() => Promise<void>) | null> {
  const server = createServer((socket) => socket.destroy()).listen(port, "127.0.0.1");
  const isFree = await once(server, "listening").then(
    () => true,
    () => false,
  );
  if (!isFree) return null;
  server.unref();
  return async () => {
    server.close();
    await once(server, "close");
  };
}

/** Takes a block that no other process owns. The process id spreads the processes over the blocks. */
async function claimBlock(): Promise<void> {
  for (let i = 0; i < BLOCKS; i++) {
    const first = FIRST + ((process.pid + i) % BLOCKS) * BLOCK_SIZE;
    if ((await listenOn(first)) === null) continue;
    [nextPort, blockEnd] = [first + 1, first + BLOCK_SIZE];
    return;
  }
  throw new Error(`no free block of ports between ${FIRST} and ${LAST}: are test processes left running?`);
}

/** A port of 127.0.0.1 without a listener. No other test gets the same port while this process lives. */
export async function freePort(): Promise<number> {
  for (;;) {
    if (nextPort === blockEnd) {
      claiming ??= claimBlock().finally(() => (claiming = null));
      await claiming;
      continue;
    }
    const port = nextPort++;
    // A server that outlived an earlier owner of the block may still hold the port.
    const close = await listenOn(port);
    if (close === null) continue;
    await close();
    return port;
  }
}
