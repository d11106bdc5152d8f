/*
 * Ends connections through a fault proxy in many ways while the proxy holds their bytes. It then changes the mode and
 * closes the proxy after a number of microtasks. The test runs it as a process, because the process has to exit.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { createFaultProxy, FakeClock, type ProxyMode } from "../../src/testing/index.ts";

interface ConnectionPair {
  readonly client: Socket;
  readonly server: Socket;
}

const endings: Readonly<Record<string, (pair: ConnectionPair) => Promise<void>>> = {
  "the client ends": async ({ client }) => await turns(client.end()),
  "the client ends with bytes under way": async ({ client }) => await turns(client.end("bye")),
  "the server ends": async ({ server }) => await turns(server.end()),
  "both end": async ({ client, server }) => {
    client.end("bye");
    await turns(server.end("bye"));
  },
  "the server ends, and resets what the client still says": async ({ client, server }) => {
    await turns(server.end("bye"));
    server.destroy();
    for (let word = 0; word < 2; word++) {
      client.write("?");
      await turns();
    }
  },
  "the client resets": async ({ client }) => await turns(client.resetAndDestroy()),
};
const holding: readonly ProxyMode[] = [
  { kind: "black-hole" },
  { kind: "slow-loris" },
  { kind: "latency", ms: 1_000 },
];
const released: readonly ProxyMode[] = [
  { kind: "pass" },
  { kind: "reset" },
  { kind: "truncate", bytes: 0 },
  { kind: "truncate", bytes: 2 },
];
/** More microtasks than the proxy needs from a change of mode to the end of a socket. */
const MICROTASKS = 12;

/** More turns of the event loop than an action on a socket needs to pass the proxy. */
async function turns(_done?: Socket): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const server = createServer({ allowHalfOpen: true });
server.listen(0, "127.0.0.1");
await once(server, "listening");
const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function runCase(
  held: ProxyMode,
  end: (pair: ConnectionPair) => Promise<void>,
  go: ProxyMode,
  microtasks: number,
): Promise<void> {
  const proxy = await createFaultProxy({ target, clock: new FakeClock() });
  const client = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
  const [accepted] = (await once(server, "connection")) as [Socket];
  for (const socket of [client, accepted]) socket.on("error", () => {}).resume();
  proxy.set(held);
  accepted.write("hello");
  await turns();
  await end({ client, server: accepted });
  proxy.set(go);
  for (let task = 0; task < microtasks; task++) await Promise.resolve();
  await proxy.close();
  assert.equal(proxy.connections.open, 0);
  client.destroy();
  accepted.destroy();
}

let cases = 0;
for (const held of holding) {
  for (const end of Object.values(endings)) {
    for (const go of released) {
      for (let microtasks = 0; microtasks <= MICROTASKS; microtasks++) {
        await runCase(held, end, go, microtasks);
        cases++;
      }
    }
  }
}
server.close();
console.log(`${cases} cases`);
