import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { ProtectOptions } from "../../../src/adapters/ws.ts";
import { bearer, type Client, connect } from "./client.ts";
import { echo, setUp, type Application, type Library, type Peer, type Fixture } from "./fixture.ts";

const firstMessage: ProtectOptions = { tokenFrom: { firstMessage: true } };

/** The tests that open connections pass on every WebSocket library. */
export function liveContract(library: Library): void {
  const serve = async (t: TestContext, at: Fixture, options: ProtectOptions = {}, application = echo) =>
    await library.serve(t, at.connections, options, application);

  /** Opens a connection for alice. */
  const open = async (t: TestContext, at: Fixture, options?: ProtectOptions, claims: object = {}) => {
    const peers: Peer[] = [];
    const application: Application = { ...echo, opened: (peer) => void peers.push(peer) };
    const { port } = await serve(t, at, options, application);
    const token = at.provider.token({ sub: "alice", scope: "chat", ...claims });
    const client = await connect(port, { headers: bearer(token) });
    assert.equal((await client.told()).type, "auth.ok");
    return { port, client, peer: peers[0] as Peer };
  };

  describe(`protect on ${library.name}: messages`, () => {
    test("delivers text, binary, empty, large and fragmented messages in order, compressed or not", async (t) => {
      const at = await setUp(t);
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
          Buffer.from('{"type":"auth.token","token":"a binary message is never a control message"}'),
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

    test("control messages never reach the application, even when they are malformed", async (t) => {
      const at = await setUp(t);
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

    test("a message that the application sends at opening arrives", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, firstMessage, { opened: (peer) => peer.send("welcome") });
      const client = await connect(port);
      client.present(at.provider.token());
      assert.equal(await client.next(), "welcome");
    });
  });

  describe(`protect on ${library.name}: the lifetime of the token`, () => {
    test("the application is told about other scopes before the next message arrives", async (t) => {
      const at = await setUp(t);
      const { client, peer } = await open(t, at, {}, { scope: "chat admin" });
      const told: string[] = [];
      peer.auth.onChange(({ before, now }) => told.push(`${before.scopes.length} > ${now.scopes.length}`));
      client.present(at.provider.token({ sub: "alice", scope: "chat" }));
      client.send("after it");
      assert.equal((await client.told()).type, "auth.ok");
      assert.equal(await client.next(), "after it");
      assert.deepEqual(told, ["2 > 1"]);
    });

    test("law 2, fault 48: the client is warned before its token expires, and closed with 4401 without a new one", async (t) => {
      const at = await setUp(t);
      const { client } = await open(t, at);
      await at.clock.advance(540_000);
      assert.deepEqual(await client.told(), { type: "auth.expiring", expires_in: 60 });
      client.send("still here");
      assert.equal(await client.next(), "still here");
      await at.clock.advance(66_000);
      assert.deepEqual(await client.closed, { code: 4401, error: "token_expired", retry_after: 0.5 });
      assert.equal(at.connections.status().open, 0);
    });

    test("a new token over the connection replaces the old one, and its scopes take effect at once", async (t) => {
      const at = await setUp(t);
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

    test("an invalid new token changes nothing, and one that cannot be checked may be sent again", async (t) => {
      const at = await setUp(t, { hasAuthority: true });
      const { client } = await open(t, at);
      client.present(at.provider.token({ sub: "alice", exp: 1 }));
      assert.deepEqual(await client.told(), { type: "auth.refused", error: "invalid_token" });
      at.provider.vanish(at.provider.kid);
      await at.provider.rotate();
      at.provider.fault("jwks", { status: 500 });
      // Without this the authority would vouch for the token whose key is unknown.
      at.provider.fault("introspection", { status: 500 });
      client.present(at.provider.token({ sub: "alice" }));
      const told = await client.told();
      assert.deepEqual([told.type, told["error"]], ["auth.refused", "temporarily_unavailable"]);
      assert.ok((told["retry_after"] as number) >= 1);
      client.send("still here");
      assert.equal(await client.next(), "still here");
    });

    /** Every cause of a close, with its close frame. */
    const closings: [
      code: number,
      error: string,
      title: string,
      (t: TestContext, at: Fixture) => Promise<Client>,
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
        "a connection beyond maxPerSubject",
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
        "a malformed first token",
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
        "a token of another subject",
        async (t, at) => {
          const { client } = await open(t, at);
          client.present(at.provider.token({ sub: "bob" }));
          return client;
        },
      ],
    ];
    for (const [code, error, title, cause] of closings) {
      test(`${title} closes with ${code}`, async (t) => {
        const at = await setUp(t, { maxPerSubject: 2 });
        const client = await cause(t, at);
        const { retry_after, ...closed } = await client.closed;
        assert.deepEqual(closed, { code, error });
        assert.equal(retry_after !== undefined, code < 4500);
        assert.equal(at.connections.status().closed[code], 1);
      });
    }

    test("law 3: after a revocation no message of the client is delivered, and other clients stay", async (t) => {
      const at = await setUp(t);
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

    test("law 11, fault 51: a degraded connection closes when the authority is back and refuses its token", async (t) => {
      const at = await setUp(t, { hasAuthority: true });
      at.provider.fault("introspection", { status: 500 });
      const { client } = await open(t, at, {}, { jti: "one" });
      at.provider.revoke("one");
      at.provider.restore();
      await at.clock.advance(60_000);
      assert.equal((await client.closed).code, 4503);
    });
  });
}
