import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import fc from "fast-check";
import type { ProtectOptions } from "../../../src/adapters/ws.ts";
import { bearer, type Client, connect, shakeHands } from "./client.ts";
import { echo, place, type Application, type Library, type Peer, type Place } from "./place.ts";

const firstMessage: ProtectOptions = { tokenFrom: { firstMessage: true } };

/** What `protect` promises of a connection that is open, on every WebSocket library. */
export function liveContract(library: Library): void {
  const serve = async (t: TestContext, at: Place, options: ProtectOptions = {}, application = echo) =>
    await library.serve(t, at.connections, options, application);

  /** A connection of alice's that is open. */
  const open = async (t: TestContext, at: Place, options?: ProtectOptions, claims: object = {}) => {
    const peers: Peer[] = [];
    const application: Application = { ...echo, opened: (peer) => void peers.push(peer) };
    const { port } = await serve(t, at, options, application);
    const token = at.provider.token({ sub: "alice", scope: "chat", ...claims });
    const client = await connect(port, { headers: bearer(token) });
    assert.equal((await client.told()).type, "auth.ok");
    return { port, client, peer: peers[0] as Peer };
  };

  describe(`protect on ${library.name}: messages`, () => {
    test("text, binary, empty, large and fragmented messages pass, compressed or not, in order", async (t) => {
      const at = await place(t);
      const { port } = await serve(t, at);
      for (const perMessageDeflate of [true, false]) {
        const headers = bearer(at.provider.token());
        const client = await connect(port, { headers, options: { perMessageDeflate } });
        assert.equal(client.socket.extensions, perMessageDeflate ? "permessage-deflate" : "");
        const messages = [
          "hello",
          "",
          Buffer.from([0, 255, 10]),
          "x".repeat(1_000_000),
          Buffer.from('{"type":"auth.token","token":"binary is never for us"}'),
          '{"type":"auth"}',
          ' {"type":"auth.token"}',
          '{"type": "auth.token"}',
          '{"type":"authors.list"}',
        ];
        for (const message of messages) client.send(message);
        client.socket.send("frag", { fin: false });
        client.socket.send("ment", { fin: true });
        for (const message of [...messages, "fragment"]) assert.deepEqual(await client.next(), message);
      }
    });

    test("messages about tokens never reach the application, whatever is in them", async (t) => {
      const at = await place(t);
      const { client } = await open(t, at);
      const prefix = '{"type":"auth.';
      for (const text of [
        `${prefix}token"}`,
        `${prefix}ok"}`,
        prefix,
        `${prefix}token","token":"${"x".repeat(1e5)}"}`,
      ]) {
        client.send(text);
        assert.deepEqual(await client.told(), { type: "auth.refused", error: "invalid_request" });
      }
      client.socket.send(prefix, { fin: false });
      client.socket.send('token","token":1}', { fin: true });
      assert.deepEqual(await client.told(), { type: "auth.refused", error: "invalid_request" });
      client.send("still here");
      assert.equal(await client.next(), "still here");
    });

    test("what the application sends when the connection opens arrives", async (t) => {
      const at = await place(t);
      const { port } = await serve(t, at, firstMessage, { opened: (peer) => peer.send("welcome") });
      const client = await connect(port);
      client.present(at.provider.token());
      assert.equal(await client.next(), "welcome");
    });
  });

  describe(`protect on ${library.name}: the token's life`, () => {
    test("law 2, fault 48: the client is told before its token ends; without another one it is closed with 4401", async (t) => {
      const at = await place(t);
      const { client } = await open(t, at);
      await at.clock.advance(540_000);
      assert.deepEqual(await client.told(), { type: "auth.expiring", expires_in: 60 });
      client.send("still here");
      assert.equal(await client.next(), "still here");
      await at.clock.advance(66_000);
      assert.deepEqual(await client.closed, { code: 4401, error: "token_expired", retry_after: 0.5 });
      assert.equal(at.connections.status().open, 0);
    });

    test("a token in band takes the place of the one before, and its scopes count at once", async (t) => {
      const at = await place(t);
      const { client, peer } = await open(t, at);
      assert.deepEqual(peer.auth.auth?.scopes, ["chat"]);
      await at.clock.advance(500_000);
      client.present(at.provider.token({ sub: "alice", scope: "chat post" }));
      const ok = { type: "auth.ok", expires_in: 600, scope: "chat post", degraded: null };
      assert.deepEqual(await client.told(), ok);
      assert.deepEqual(peer.auth.auth?.scopes, ["chat", "post"]);
      await at.clock.advance(500_000);
      client.send("still here");
      assert.equal(await client.next(), "still here");
      assert.equal(at.connections.status().refreshed, 1);
    });

    test("a bad token in band changes nothing; one that cannot be checked is to come again", async (t) => {
      const at = await place(t, { asks: true });
      const { client } = await open(t, at);
      client.present(at.provider.token({ sub: "alice", exp: 1 }));
      assert.deepEqual(await client.told(), { type: "auth.refused", error: "invalid_token" });
      at.provider.vanish(at.provider.kid);
      await at.provider.rotate();
      at.provider.fault("jwks", { status: 500 });
      client.present(at.provider.token({ sub: "alice" }));
      const told = await client.told();
      assert.deepEqual([told.type, told["error"]], ["auth.refused", "temporarily_unavailable"]);
      assert.ok((told["retry_after"] as number) >= 1);
      client.send("still here");
      assert.equal(await client.next(), "still here");
    });

    /** Every way to be closed, and what the close frame says. */
    const closings: [
      code: number,
      error: string,
      title: string,
      (t: TestContext, at: Place) => Promise<Client>,
    ][] = [
      [
        4408,
        "token_missing",
        "no token in time",
        async (t, at) => {
          const client = await connect((await serve(t, at, firstMessage)).port);
          await at.clock.advance(11_000);
          return client;
        },
      ],
      [
        4408,
        "token_missing",
        "a message before the token",
        async (t, at) => {
          const client = await connect(
            (await serve(t, at, firstMessage, { opened: () => assert.fail() })).port,
          );
          client.send("hello");
          return client;
        },
      ],
      [
        4429,
        "too_many",
        "another connection than its subject may have",
        async (t, at) => {
          const { port } = await serve(t, at, firstMessage);
          for (let i = 0; i < 2; i++) {
            const client = await connect(port);
            client.present(at.provider.token({ sub: "alice" }));
            assert.equal((await client.told()).type, "auth.ok");
          }
          const client = await connect(port);
          client.present(at.provider.token({ sub: "alice" }));
          return client;
        },
      ],
      [
        4429,
        "too_many",
        "a flood of tokens",
        async (t, at) => {
          const { client } = await open(t, at);
          for (let i = 0; i < 40; i++) client.present("nonsense");
          return client;
        },
      ],
      [
        4453,
        "try_later",
        "law 1: a first token that cannot be checked",
        async (t, at) => {
          at.provider.fault("jwks", { status: 500 });
          await at.provider.rotate();
          const client = await connect((await serve(t, at, firstMessage)).port);
          client.present(at.provider.token());
          return client;
        },
      ],
      [
        4453,
        "try_later",
        "the service goes down",
        async (t, at) => {
          const { client } = await open(t, at);
          await at.connections.close();
          return client;
        },
      ],
      [
        4501,
        "invalid_token",
        "a first token that is none",
        async (t, at) => {
          const client = await connect((await serve(t, at, firstMessage)).port);
          client.present("nonsense");
          return client;
        },
      ],
      [
        4502,
        "insufficient_scope",
        "a new token without the scope",
        async (t, at) => {
          const { client } = await open(t, at, { scopes: ["chat"] });
          client.present(at.provider.token({ sub: "alice", scope: "read" }));
          return client;
        },
      ],
      [
        4503,
        "token_revoked",
        "law 3: a revocation",
        async (t, at) => {
          const { client } = await open(t, at);
          await at.revoke("alice");
          await at.clock.advance(1_000);
          return client;
        },
      ],
      [
        4504,
        "other_subject",
        "somebody else's token",
        async (t, at) => {
          const { client } = await open(t, at);
          client.present(at.provider.token({ sub: "bob" }));
          return client;
        },
      ],
    ];
    for (const [code, error, title, cause] of closings) {
      test(`${title} closes with ${code}`, async (t) => {
        const at = await place(t, { maxPerSubject: 2 });
        const client = await cause(t, at);
        const { retry_after, ...closed } = await client.closed;
        assert.deepEqual(closed, { code, error });
        assert.equal(retry_after !== undefined, code < 4500);
        assert.equal(at.connections.status().closed[code], 1);
      });
    }

    test("law 3: after a revocation nothing more is heard of the client, and others stay", async (t) => {
      const at = await place(t);
      const heard: string[] = [];
      const received: Application["received"] = (_, data) => void heard.push(String(data));
      const { port } = await serve(t, at, {}, { received });
      const alice = await connect(port, { headers: bearer(at.provider.token({ sub: "alice" })) });
      const bob = await connect(port, { headers: bearer(at.provider.token({ sub: "bob" })) });
      await at.revoke("alice");
      await at.clock.advance(300);
      alice.send("too late");
      assert.equal((await alice.closed).code, 4503);
      bob.send("hello");
      bob.present(at.provider.token({ sub: "bob" }));
      await bob.told();
      await bob.told();
      assert.deepEqual(heard, ["hello"]);
    });

    test("law 11, fault 51: one that was let in without the authority is closed when that is back and says no", async (t) => {
      const at = await place(t, { asks: true });
      at.provider.fault("introspection", { status: 500 });
      const { client } = await open(t, at, {}, { jti: "one" });
      at.provider.revoke("one");
      at.provider.restore();
      await at.clock.advance(60_000);
      assert.equal((await client.closed).code, 4503);
    });
  });

  describe(`protect on ${library.name}: while a token is being checked`, () => {
    test("fault 48: nothing is lost, nothing overtakes, whatever the authority takes and whoever sends", async (t) => {
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
        // How near the end of its token it is.
        ageMs: fc.constantFrom(0, 599_000, 599_900),
      });
      await fc.assert(
        fc.asyncProperty(scenario, async ({ steps, latencies, usesFirstMessage, ageMs }) => {
          const at = await place(t, { asks: true, guard: { degraded: "deny", clockToleranceMs: 0 } });
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
          // It has arrived: from here on time may pass.
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

  describe(`protect on ${library.name}: clients that do no good`, () => {
    test("fault 52: who says nothing, or only half of something, is closed at the deadline", async (t) => {
      const at = await place(t, { firstTokenMs: 5_000 });
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

    test("fault 52: a connection that breaks, at whatever stage, leaves nothing behind", async (t) => {
      const at = await place(t, { asks: true });
      const { port } = await serve(t, at, firstMessage);
      const token = at.provider.token();
      const gone = async () => {
        while (at.connections.status().open + at.connections.status().pending > 0) await at.clock.advance(1);
      };
      // While its token is checked, before the upgrade.
      at.provider.fault("introspection", { hang: true });
      for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
        const socket = await shakeHands(port, bearer(token));
        while (at.connections.status().pending === 0) await at.clock.advance(1);
        socket[leave]();
        await gone();
        socket.destroy();
      }
      at.provider.restore();
      // Before its first token; while that is checked; when it is open.
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
          // A frame that no client may send: unmasked, with a reserved opcode.
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
