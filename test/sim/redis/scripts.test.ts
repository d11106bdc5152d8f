import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { createClient } from "redis";
import { readOptions } from "../../../src/core/options.ts";
import { testStore } from "../../../src/stores/conformance/index.ts";
import type { Answer, RedisClient } from "../../../src/stores/redis/client.ts";
import { realServers, type RedisEnvironment } from "../../../src/stores/redis/environment.ts";
import { openRedisStore } from "../../../src/stores/redis/open-store.ts";
import { redisStoreOptionTable } from "../../../src/stores/redis/options.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { toBytes, toClientReply } from "../../../sim/redis/bytes.ts";
import { ErrorReply } from "../../../sim/redis/reply.ts";
import { ScriptEngine } from "../../../sim/redis/script-engine.ts";
import { RedisServerModel } from "../../../sim/redis/server.ts";
import { noRedis, RedisServer } from "../../support/redis-servers.ts";
import { readContents } from "./contents.ts";

/** Commands of the separate connection for the log, whose order among the others is by chance, and of the settings. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["XREAD", "XREVRANGE", "CONFIG"]);

/** A failed write is given again without a pause, so it needs no more turns than these. */
const QUIET_TURNS = 20;

/** Where in a script an error happened. The model knows the line of the statement, and Redis that of its last part. */
const LINE = /on @user_script:\d+/;

/** Gives each command to a real server and to the model, and compares the replies. */
class Comparison {
  readonly #model = new RedisServerModel({ now: Date.now, engine: new ScriptEngine(), settings: {} });
  readonly differences: string[] = [];
  #pending = 0;
  #interrupt: () => void = () => {};

  readonly environment: RedisEnvironment = {
    networkClock: realServers.networkClock,
    loadConnect: async () => {
      const connect = await realServers.loadConnect();
      return async (address, options, signal) => {
        this.#interrupt = () => options.onInterruption(new Error("a test breaks the connection"));
        const real = await connect(address, options, signal);
        return { ...real, send: async (key, command) => await this.#send(real, key, command) };
      };
    },
  };

  /** Lets the store believe that a failover has lost its writes. */
  interrupt(): void {
    this.#interrupt();
  }

  /** Resolves when no command has been under way for some turns of the event loop. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet = this.#pending === 0 ? quiet + 1 : 0)
      await setImmediate();
  }

  ask(command: readonly string[]): unknown {
    try {
      return toClientReply(this.#model.execute(command.map(toBytes)));
    } catch (error) {
      if (error instanceof ErrorReply) return toClientReply(error.message);
      throw error;
    }
  }

  get keys(): string[] {
    return this.#model.keys.names().map((name) => String(toClientReply(name)));
  }

  async #send(real: RedisClient, key: string, command: readonly string[]): Promise<Answer> {
    const name = command[0] ?? "";
    if (NOT_COMPARED.has(name)) return await real.send(key, command);
    const modelled = this.ask(command);
    this.#pending++;
    const outcome = await real.send(key, command).then(
      (answer) => ({ answer }),
      (error: Error) => ({ error }),
    );
    this.#pending--;
    const actual = "error" in outcome ? outcome.error.message.replace(LINE, "") : outcome.answer.reply;
    const expected = typeof modelled === "string" ? modelled.replace(LINE, "") : modelled;
    const [one, other] = [JSON.stringify(expected), JSON.stringify(actual)];
    if (one !== other) this.differences.push(`${one} instead of ${other} for ${JSON.stringify(command)}`);
    if ("error" in outcome) throw outcome.error;
    return outcome.answer;
  }
}

void describe("the scripts of the store on the model and on a real server", { skip: noRedis }, () => {
  let server: RedisServer;
  const comparison = new Comparison();
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  testStore("redisStore on both", async () => {
    const clock = new FakeClock();
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const options = { url: server.url, clock, prefix };
    const settings = readOptions("redisStore", options, redisStoreOptionTable);
    const store = await openRedisStore(settings, { environment: comparison.environment, virtual: true });
    return {
      store,
      clock,
      async close() {
        comparison.interrupt();
        await comparison.idle();
        await store.close();
        assert.deepEqual(comparison.differences, []);
      },
    };
  });

  test("both hold the same data after all", async () => {
    const { keys } = comparison;
    assert.ok(keys.length > 100);
    const client = createClient({ url: server.url, RESP: 2 });
    await client.connect();
    try {
      const real = await readContents(keys, async (command) => {
        try {
          return await client.sendCommand([...command]);
        } catch (error) {
          return (error as Error).message;
        }
      });
      assert.deepEqual(await readContents(keys, (command) => comparison.ask(command)), real);
    } finally {
      client.destroy();
    }
  });
});
