import assert from "node:assert/strict";
import type { RedisServer } from "./redis-servers.ts";

/** Moves one slot of a real cluster from one primary to another, as `redis-cli --cluster reshard` does. */
export class SlotMove {
  readonly slot: number;
  readonly #from: RedisServer;
  readonly #to: RedisServer;

  constructor(slot: number, from: RedisServer, to: RedisServer) {
    this.slot = slot;
    this.#from = from;
    this.#to = to;
  }

  /** From now on, the source answers `ASK` for keys that it does not have. */
  async begin(): Promise<void> {
    await expectOk(this.#to, "CLUSTER", "SETSLOT", String(this.slot), "IMPORTING", await idOf(this.#from));
    await expectOk(this.#from, "CLUSTER", "SETSLOT", String(this.slot), "MIGRATING", await idOf(this.#to));
  }

  /** The keys of the slot that the source still has. */
  async keys(): Promise<string[]> {
    const reply = (await this.#from.cli("CLUSTER", "GETKEYSINSLOT", String(this.slot), "1000")) ?? "";
    // The reply is a list of texts, each after its length.
    return reply.split("\r\n").flatMap((word, i) => (i > 0 && i % 2 === 0 && word !== "" ? [word] : []));
  }

  async moveKey(key: string): Promise<void> {
    await expectOk(this.#from, "MIGRATE", "127.0.0.1", String(this.#to.port), key, "0", "5000");
  }

  async moveKeys(): Promise<void> {
    for (const key of await this.keys()) await this.moveKey(key);
  }

  /** From now on, the source answers `MOVED`. Both servers must agree, and the new owner is told first. */
  async finish(): Promise<void> {
    for (const server of [this.#to, this.#from])
      await expectOk(server, "CLUSTER", "SETSLOT", String(this.slot), "NODE", await idOf(this.#to));
  }

  /** Moves the slot back, after `finish`. */
  async undo(): Promise<void> {
    const back = new SlotMove(this.slot, this.#to, this.#from);
    await back.begin();
    await back.moveKeys();
    await back.finish();
  }
}

async function idOf(server: RedisServer): Promise<string> {
  return (await server.cli("CLUSTER", "MYID"))?.split("\r\n")[1] ?? "";
}

async function expectOk(server: RedisServer, ...command: string[]): Promise<void> {
  assert.equal(await server.cli(...command), "+OK\r\n", command.join(" "));
}
