/* A separate process for some of the clients, because one process may not hold so many sockets. */
import { once } from "node:events";
import { WebSocket } from "ws";

/** The requests of the parent process. */
export type Order =
  | { readonly do: "open"; readonly port: number; readonly tokens: readonly string[] }
  | { readonly do: "talk"; readonly rounds: number }
  | { readonly do: "watch"; readonly count: number }
  | { readonly do: "count" };

const BATCH = 100;
const sockets: WebSocket[] = [];
/** The tokens of connections that the other side ended, with the code. */
const ended: [index: number, code: number][] = [];
let waiting: { count: number; done: () => void } | null = null;
let echoes = 0;
let enough = () => {};
let expected = Infinity;

function heard(): void {
  if (++echoes === expected) enough();
}

async function open(port: number, tokens: readonly string[]): Promise<null> {
  for (let from = 0; from < tokens.length; from += BATCH) {
    await Promise.all(
      tokens.slice(from, from + BATCH).map(async (token, i) => {
        const headers = { authorization: `Bearer ${token}` };
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers, perMessageDeflate: false });
        await once(socket, "open");
        sockets.push(socket);
        socket.on("message", (data: Buffer) => {
          if (data[0] === 0x61) heard();
        });
        socket.on("close", (code) => {
          ended.push([from + i, code]);
          if (waiting !== null && ended.length >= waiting.count) waiting.done();
        });
      }),
    );
  }
  return null;
}

/** Each connection sends a message and receives its echo, this many times. */
async function talk(rounds: number): Promise<null> {
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < sockets.length; from += BATCH) {
      const some = sockets.slice(from, from + BATCH);
      const heardAll = new Promise<void>((resolve) => (enough = resolve));
      expected = echoes + some.length;
      for (const socket of some) socket.send("a word");
      await heardAll;
    }
  }
  return null;
}

async function answer(order: Order): Promise<unknown> {
  if (order.do === "open") return await open(order.port, order.tokens);
  if (order.do === "talk") return await talk(order.rounds);
  if (order.do === "watch") {
    if (ended.length < order.count) {
      await new Promise<void>((done) => (waiting = { count: order.count, done }));
    }
  }
  return ended;
}

process.on("message", (order: Order) => void answer(order).then((said) => process.send?.(said ?? {})));
process.on("disconnect", () => process.exit());
