/**
 * Measures 10,000 live connections on bare `ws` and behind `protect`: the memory and processor time of the server's
 * process. Then 1,000 of their sessions are revoked. Each client has a different token, and runs in another process.
 * TLS and the network are left out. `CONNECTIONS=1000` makes the run smaller.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Order } from "./connections/clients.ts";
import type { Question, ServerMode, Usage } from "./connections/server.ts";
import { report } from "./measure.ts";

const COUNT = Number(process.env["CONNECTIONS"] ?? 10_000);
const REVOKED = COUNT / 10;
const CLIENTS = 2;
const IDLE_MS = 10_000;
const TALK_ROUNDS = 5;

interface Token {
  readonly token: string;
  readonly session: string;
}

class Child {
  readonly process: ChildProcess;

  constructor(module: string, args: readonly string[] = []) {
    const file = new URL(`./connections/${module}.ts`, import.meta.url).pathname;
    this.process = fork(file, [...args], { execArgv: [...process.execArgv, "--expose-gc"] });
  }

  async ask<T>(message: Question | Order): Promise<T> {
    this.process.send(message);
    const [said] = (await once(this.process, "message")) as [T];
    return said;
  }
}

interface Figures {
  readonly heap: number;
  readonly heapRemembered: number;
  readonly rss: number;
  readonly idle: number;
  readonly word: number;
}

async function run(mode: ServerMode): Promise<Figures> {
  const server = new Child("server", [mode]);
  const [port] = (await once(server.process, "message")) as [number];
  const clients = Array.from({ length: CLIENTS }, () => new Child("clients"));
  try {
    const tokens = await server.ask<Token[]>({ ask: "tokens", count: COUNT });
    const empty = await server.ask<Usage>({ ask: "usage" });
    if (mode === "guarded") await server.ask({ ask: "remember", tokens: tokens.map(({ token }) => token) });
    const remembered = await server.ask<Usage>({ ask: "usage" });
    const share = COUNT / CLIENTS;
    const partOf = (i: number) => tokens.slice(i * share, (i + 1) * share).map(({ token }) => token);
    await Promise.all(
      clients.map(async (client, i) => await client.ask({ do: "open", port, tokens: partOf(i) })),
    );
    const open = await server.ask<Usage>({ ask: "usage" });
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const idle = await server.ask<Usage>({ ask: "usage" });
    await Promise.all(clients.map(async (client) => await client.ask({ do: "talk", rounds: TALK_ROUNDS })));
    const talked = await server.ask<Usage>({ ask: "usage" });
    if (mode === "guarded") await revoke(server, clients, tokens);
    return {
      heap: (open.heap - empty.heap) / COUNT,
      heapRemembered: (remembered.heap - empty.heap) / COUNT,
      rss: (open.rss - empty.rss) / COUNT,
      idle: (idle.micros - open.micros) / IDLE_MS / 10,
      word: (talked.micros - idle.micros) / (COUNT * TALK_ROUNDS),
    };
  } finally {
    for (const { process: child } of [server, ...clients]) child.kill();
  }
}

/** Revokes every tenth session. */
async function revoke(server: Child, clients: readonly Child[], tokens: readonly Token[]): Promise<void> {
  const each = REVOKED / CLIENTS;
  const gone = clients.map(
    async (client) => await client.ask<[number, number][]>({ do: "watch", count: each }),
  );
  const began = performance.now();
  const sessions = tokens.filter((_, i) => i % 10 === 0).map(({ session }) => session);
  await server.ask({ ask: "revoke", sessions });
  const toldMs = performance.now() - began;
  await Promise.all(gone);
  const goneMs = performance.now() - began;
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const lists = await Promise.all(
    clients.map(async (client) => await client.ask<[number, number][]>({ do: "count" })),
  );
  const all = lists.flat();
  const wrong = all.filter(([i, code]) => i % 10 !== 0 || code !== 4503).length;
  console.log(
    `\n${REVOKED} sessions revoked: written within ${toldMs.toFixed(0)} ms, all their connections gone after ` +
      `${goneMs.toFixed(0)} ms (target < 1000); ${wrong} closed wrongly, ${COUNT - all.length} live on`,
  );
}

const bare = await run("bare");
const guarded = await run("guarded");
const row = (name: string, unit: string, digits: number, pick: (figures: Figures) => number) => {
  const [floor, ours] = [pick(bare), pick(guarded)];
  const more = `${(ours - floor).toFixed(digits)} ${unit} more, ${(ours / floor).toFixed(2)} ×`;
  console.log(
    `  ${name.padEnd(44)}${floor.toFixed(digits).padStart(9)} ${unit}  ${ours.toFixed(digits)} ${unit}: ${more}`,
  );
};
console.log(`\n${COUNT} connections: ws alone, and behind protect()`);
row("heap of a connection", "bytes", 0, ({ heap }) => heap);
row("the same, its token remembered before", "bytes", 0, ({ heap, heapRemembered }) => heap - heapRemembered);
row("resident memory of a connection", "bytes", 0, ({ rss }) => rss);
row("processor while nobody says anything", "%", 2, ({ idle }) => idle);
row("processor for a message and its echo", "µs", 2, ({ word }) => word);
report([]);
