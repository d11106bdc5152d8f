import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import fc from "fast-check";
import type { ProtectOptions } from "../../../src/adapters/ws.ts";
import { bearer, connect, sendHandshake, type Client } from "./client.ts";
import { echo, setUp, type Library, type Peer, type Fixture } from "./fixture.ts";

const firstMessage: ProtectOptions = { tokenFrom: { firstMessage: true } };

/** The tests of faults of the authority, the network and the clients, for every WebSocket library. */
export function faultContract(library: Library): void {
  const serve = async (t: TestContext, at: Fixture, options: ProtectOptions = {}, application = echo) =>
    await library.serve(t, at.connections, options, application);

  describe(`protect on ${library.name}: while a token is being checked`, () => {
    test("fault 48: no message is lost or reordered, however long the authority takes and whichever side sends", async (t) => {
      const step = fc.oneof(
        { weight: 5, arbitrary: fc.constant("client") },
        { weight: 5, arbitrary: fc.constant("server") },
        { weight: 2, arbitrary: fc.constant("refresh") },
        { weight: 3, arbitrary: fc.nat({ max: 400 }) },
      );
      const scenario = fc.record({
        steps: fc.array(step, { minLength: 10, maxLength: 60 }),
        latencies: fc.array(fc.nat({ max: 500 }), { minLength: 1, maxLength: 5 }),
        usesFirstMessage: fc.boolean(),
        // The time until the token expires.
        ageMs: fc.constantFrom(0, 599_000, 599_900),
      });
      await fc.assert(
        fc.asyncProperty(scenario, async ({ steps, latencies, usesFirstMessage, ageMs }) => {
          const at = await setUp(t, { hasAuthority: true, guard: { degraded: "deny", clockToleranceMs: 0 } });
          const peers: Peer[] = [];
          const atServer: (string | Buffer)[] = [];
          const { port } = await serve(t, at, firstMessage, {
            opened: (peer) => void peers.push(peer),
            received: (_, data) => void atServer.push(data),
          });
          const token = () => at.provider.token({ sub: "alice" });
          const client = await connect(port, usesFirstMessage ? {} : { headers: bearer(token()) });
          await at.clock.advance(usesFirstMessage ? 0 : ageMs);
          let asked = 0;
          at.provider.fault("introspection", { latencyMs: () => latencies[asked++ % latencies.length] ?? 0 });
          at.provider.resetCounts();
          client.present(token());
          const until = async (done: () => boolean, stepMs: number) => {
            while (!done() && client.socket.readyState === 1) await at.clock.advance(stepMs);
          };
          // The token has arrived, so the clock may advance from here on.
          await until(() => at.provider.counts("introspection").requests > 0, 0);
          const [fromClient, fromServer]: [string[], string[]] = [[], []];
          for (const [i, act] of [...steps, "client", "server"].entries()) {
            const message = `message ${i}`;
            if (typeof act === "number") await at.clock.advance(act);
            else if (act === "refresh") client.present(token());
            else if (act === "client") client.send(fromClient[fromClient.push(message) - 1] as string);
            else if (peers[0] !== undefined)
              peers[0].send(fromServer[fromServer.push(message) - 1] as string);
          }
          await until(() => atServer.length === fromClient.length, 50);
          await until(() => client.unread === fromServer.length, 0);
          assert.equal(client.socket.readyState, 1, "survives");
          assert.deepEqual(atServer, fromClient);
          const atClient: unknown[] = [];
          while (client.unread > 0) atClient.push(await client.next());
          assert.deepEqual(atClient, fromServer);
          await at.connections.close();
        }),
        { numRuns: 25 },
      );
    });
  });

  describe(`protect on ${library.name}: hostile clients`, () => {
    test("law 6: waiting messages are limited by their size after decompression", async (t) => {
      const at = await setUp(t, { hasAuthority: true });
      const { port } = await serve(t, at, firstMessage);
      const client = await connect(port);
      at.provider.fault("introspection", { hang: true });
      client.present(at.provider.token());
      while (at.provider.counts("introspection").requests === 0) await at.clock.advance(1);
      // One compressed frame (RFC 7692 §7.2.1): 200,000 bytes in about 200.
      const deflated = deflateRawSync(Buffer.alloc(200_000), { finishFlush: constants.Z_SYNC_FLUSH });
      const length = deflated.length - 4;
      const header = Buffer.from([0xc2, 0xfe, length >> 8, length & 0xff, 0, 0, 0, 0]);
      const frame = Buffer.concat([header, deflated.subarray(0, length)]);
      Reflect.get(client.socket, "_socket").write(Buffer.concat([frame, frame, frame]));
      assert.equal((await client.closed).code, 4429);
    });

    test("fault 52: a client that sends nothing, or half a message, is closed at the deadline", async (t) => {
      const at = await setUp(t, { firstTokenMs: 5_000 });
      const { port } = await serve(t, at, firstMessage, { opened: () => assert.fail("reached") });
      const silent = await connect(port);
      const slow = await connect(port);
      slow.socket.send('{"type":"auth.token",', { fin: false });
      await at.clock.advance(4_000);
      assert.equal(at.connections.status().pending, 2);
      slow.socket.send('"token":', { fin: false });
      await at.clock.advance(2_500);
      for (const client of [silent, slow]) assert.equal((await client.closed).code, 4408);
      assert.equal(at.connections.status().pending, 0);
    });

    test("fault 52: a connection that breaks at any stage leaves nothing behind", async (t) => {
      const at = await setUp(t, { hasAuthority: true });
      const { port } = await serve(t, at, firstMessage);
      const token = at.provider.token();
      const gone = async () => {
        while (at.connections.status().open + at.connections.status().pending > 0) await at.clock.advance(1);
      };
      // The connection breaks while its token is checked, before the upgrade.
      at.provider.fault("introspection", { hang: true });
      for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
        const socket = await sendHandshake(port, bearer(token));
        while (at.connections.status().pending === 0) await at.clock.advance(1);
        socket[leave]();
        await gone();
        socket.destroy();
      }
      at.provider.restore();
      // It breaks before its first token, while that token is checked, and after it is open.
      const stages: ((client: Client) => Promise<unknown>)[] = [
        async () => {},
        async (client) => {
          at.provider.fault("introspection", { hang: true });
          client.present(at.provider.token());
          client.send("held");
          while (at.provider.counts("introspection").requests === 0) await at.clock.advance(1);
        },
        async (client) => {
          client.present(at.provider.token());
          await client.told();
        },
      ];
      for (const stage of stages) {
        for (const how of ["terminate", "garbage"]) {
          const client = await connect(port);
          at.provider.resetCounts();
          await stage(client);
          // An unmasked frame with a reserved opcode. A client must not send either.
          if (how === "garbage") Reflect.get(client.socket, "_socket").write(Buffer.from([0x8f, 0x00]));
          else client.socket.terminate();
          await client.closed;
          at.provider.restore();
          await gone();
        }
      }
    });
  });
}
