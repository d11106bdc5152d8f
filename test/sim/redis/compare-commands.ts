import assert from "node:assert/strict";
import fc from "fast-check";
import { createClient } from "redis";
import { toBytes, toClientReply } from "../../../sim/redis/bytes.ts";
import type { EvictionPolicy } from "../../../sim/redis/keyspace.ts";
import { ErrorReply } from "../../../sim/redis/reply.ts";
import { ScriptEngine } from "../../../sim/redis/script-engine.ts";
import { RedisServerModel } from "../../../sim/redis/server.ts";
import type { RedisServer } from "../../support/redis-servers.ts";
import { readContents } from "./contents.ts";
import { commandSequence, KEYS } from "./random-commands.ts";

/** The time that passes between the two servers, ms. It is long on a busy machine. */
const DELAY_MS = 20_000;

/** Which sequences of commands are compared. */
export interface ComparedSequences {
  readonly sequences: number;
  /** Decides the sequences. Default: the seed of fast-check. */
  readonly seed?: number;
  /** In the middle of each sequence the servers run out of memory under this policy. Default: they have memory. */
  readonly policy?: EvictionPolicy | "noeviction";
}

const NO_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";

/**
 * Gives random sequences of commands to the model and to a real server, whose data it deletes. Rejects when a reply or
 * the data at the end differ.
 */
export async function compareCommands(
  { url }: RedisServer,
  { sequences, seed, policy }: ComparedSequences,
): Promise<void> {
  // The store, too, uses version 2 of the protocol.
  const client = createClient({ url, RESP: 2 });
  await client.connect();
  const engine = new ScriptEngine();
  const askServer = async (command: readonly string[]): Promise<unknown> => {
    try {
      return await client.sendCommand([...command]);
    } catch (error) {
      return (error as Error).message;
    }
  };
  const compare = async (sequence: readonly (readonly string[])[]) => {
    const model = new RedisServerModel({ now: Date.now, engine, settings: {} });
    await client.sendCommand(["CONFIG", "SET", "maxmemory", "0"]);
    await client.sendCommand(["FLUSHALL"]);
    for (const [index, command] of sequence.entries()) {
      if (policy !== undefined && index === Math.floor(sequence.length / 2)) {
        await client.sendCommand(["CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", "1"]);
        model.refusals.growth = NO_MEMORY;
        model.exhausted = policy === "noeviction" ? null : policy;
      }
      assertSameReply(askModel(model, command), await askServer(command), command);
    }
    model.exhausted = null;
    await client.sendCommand(["CONFIG", "SET", "maxmemory", "0"]);
    const contents = await readContents(KEYS, askServer);
    assert.deepEqual(await readContents(KEYS, (command) => askModel(model, command)), contents);
  };
  try {
    const property = fc.asyncProperty(commandSequence, compare);
    await fc.assert(property, { numRuns: sequences, ...(seed !== undefined && { seed }) });
  } finally {
    client.destroy();
  }
}

function askModel(model: RedisServerModel, command: readonly string[]): unknown {
  try {
    return toClientReply(model.execute(command.map(toBytes)));
  } catch (error) {
    if (error instanceof ErrorReply) return toClientReply(error.message);
    throw error;
  }
}

function assertSameReply(actual: unknown, expected: unknown, command: readonly string[]): void {
  const isTtl = command[0] === "PTTL" && typeof expected === "number" && expected > 0;
  if (!isTtl) return assert.deepEqual(actual, expected, `the reply to ${JSON.stringify(command)}`);
  assert.ok(Math.abs(Number(actual) - expected) < DELAY_MS, `${String(actual)} ms instead of ${expected} ms`);
}
