import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * These ports lie below the ephemeral ports of the system, so that no outgoing connection takes one while its server is
 * down. The bus of a Redis cluster uses the port + 10,000, which lies below them, too.
 */
const [FIRST, LAST] = [10_000, 22_000];

/** A port of 127.0.0.1 without a listener. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
