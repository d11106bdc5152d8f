import { compareCommands } from "../sim/redis/compare-commands.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";
import type { Figures, SoakContext } from "./context.ts";

/** Sequences of commands between two reports. */
const SEQUENCES = 200;

/** Compares the model of Redis, which the simulator uses, with a real server. */
export async function runRedisModel({
  random,
  progress,
  forMs,
}: Pick<SoakContext, "random" | "progress"> & { readonly forMs: number }): Promise<Figures> {
  if (noRedis !== false) return { skipped: noRedis };
  const server = await RedisServer.start();
  const since = performance.now();
  let sequences = 0;
  try {
    while (performance.now() - since < forMs) {
      await compareCommands(server, { sequences: SEQUENCES, seed: Math.floor(random() * 2 ** 31) });
      sequences += SEQUENCES;
      progress(`${sequences} sequences of commands`);
    }
  } finally {
    await server.stop();
  }
  return { "sequences of commands": sequences };
}
