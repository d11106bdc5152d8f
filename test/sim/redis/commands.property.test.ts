import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { createClient } from "redis";
import { toBytes, toClientReply } from "../../../sim/redis/bytes.ts";
import { ErrorReply } from "../../../sim/redis/reply.ts";
import { ScriptEngine } from "../../../sim/redis/script-engine.ts";
import { RedisServerModel } from "../../../sim/redis/server.ts";
import { noRedis, RedisServer } from "../../support/redis-servers.ts";
import { readContents } from "./contents.ts";
import { commandSequence, KEYS } from "./random-commands.ts";

/** The time that passes between the two servers, ms. It is long on a busy machine. */
const DELAY_MS = 20_000;

/** The store, too, uses version 2 of the protocol. */
function connectTo({ url }: RedisServer) {
  return createClient({ url, RESP: 2 });
}

void describe("the model of Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  let client: ReturnType<typeof connectTo>;
  before(async () => {
    server = await RedisServer.start();
    client = connectTo(server);
    await client.connect();
  });
  after(async () => {
    client.destroy();
    await server.stop();
  });

  async function askServer(command: readonly string[]): Promise<unknown> {
    try {
      return await client.sendCommand([...command]);
    } catch (error) {
      return (error as Error).message;
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
    assert.ok(
      Math.abs(Number(actual) - expected) < DELAY_MS,
      `${String(actual)} ms instead of ${expected} ms`,
    );
  }

  test("gives the replies of a server to any sequence of commands, and holds the same data after it", async () => {
    const engine = new ScriptEngine();
    await fc.assert(
      fc.asyncProperty(commandSequence, async (sequence) => {
        const model = new RedisServerModel({ now: Date.now, engine, settings: {} });
        await client.sendCommand(["FLUSHALL"]);
        for (const command of sequence) {
          assertSameReply(askModel(model, command), await askServer(command), command);
        }
        const contents = await readContents(KEYS, async (command) => await askServer(command));
        assert.deepEqual(await readContents(KEYS, (command) => askModel(model, command)), contents);
      }),
      { numRuns: 300 },
    );
  });
});
