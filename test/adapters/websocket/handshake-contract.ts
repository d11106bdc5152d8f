import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { ProtectOptions } from "../../../src/adapters/ws.ts";
import { createProvider } from "../../../src/testing/index.ts";
import { bearer, tokenSubprotocol, Client, connect, dial, type Offer } from "./client.ts";
import { audience, echo, setUp, type Application, type Library, type Peer, type Fixture } from "./fixture.ts";

const unreachable: Application = { opened: () => assert.fail("reached") };
const cookie = { name: "__Host-session", origins: ["https://app.example.com"] };

/** The tests of the handshake for every WebSocket library. */
export function websocketContract(library: Library): void {
  const { name, hasBodies } = library;

  /** Serves an application. Default: an echo. */
  const serve = async (t: TestContext, at: Fixture, options: ProtectOptions = {}, application = echo) =>
    await library.serve(t, at.connections, options, application);

  const refused = async (port: number, offer: Offer, status: number, error: string) => {
    const answer = await dial(port, offer);
    assert.ok(!(answer instanceof Client), "the handshake was accepted");
    assert.equal(answer.status, status);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers.connection, "close");
    if (hasBodies) {
      const said = JSON.parse(answer.body) as object;
      assert.deepEqual({ ...said, error_description: "" }, { error, error_description: "" });
      assert.match(String(answer.headers["content-type"]), /^application\/json\b/);
    }
    return answer.headers;
  };

  describe(`protect on ${name}: the handshake`, () => {
    test("a token in the Authorization header opens a connection, and the application gets it", async (t) => {
      const at = await setUp(t);
      const peers: Peer[] = [];
      const { port } = await serve(
        t,
        at,
        { scopes: ["chat"] },
        { ...echo, opened: (peer) => void peers.push(peer) },
      );
      const client = await connect(port, {
        headers: bearer(at.provider.token({ sub: "alice", scope: "chat" })),
      });
      const ok = { type: "auth.ok", expires_in: 600, scope: "chat", degraded: null };
      assert.deepEqual(await client.told(), ok);
      client.send("hello");
      assert.equal(await client.next(), "hello");
      assert.deepEqual([peers[0]?.auth.state, peers[0]?.auth.auth?.subject], ["open", "alice"]);
      assert.equal(client.headers["x-auth-degraded"], undefined);
      assert.equal(at.connections.status().open, 1);
    });

    test("a token in a subprotocol is never echoed, and another subprotocol is selected", async (t) => {
      const at = await setUp(t);
      const peers: Peer[] = [];
      const { port } = await serve(t, at, {}, { opened: (peer) => void peers.push(peer) });
      const token = tokenSubprotocol(at.provider.token());
      for (const protocols of [
        [token, "chat"],
        ["chat", token],
      ]) {
        const client = await connect(port, { protocols });
        assert.deepEqual(await client.told(), {
          type: "auth.ok",
          expires_in: 600,
          scope: "",
          degraded: null,
        });
        assert.equal(client.socket.protocol, "chat");
        assert.equal(client.headers["sec-websocket-protocol"], "chat");
      }
      assert.deepEqual(
        peers.map(({ protocol }) => protocol),
        ["chat", "chat"],
      );
      await refused(port, { protocols: [token] }, 400, "invalid_request");
    });

    test("with the token in the first message, the application gets the connection after the token is accepted", async (t) => {
      const at = await setUp(t);
      const heard: string[] = [];
      const application: Application = {
        opened: (peer) => void heard.push(`opened for ${peer.auth.auth?.subject}`),
        received: (_, data) => void heard.push(String(data)),
      };
      const { port } = await serve(t, at, { tokenFrom: { firstMessage: true } }, application);
      const client = await connect(port);
      assert.equal(at.connections.status().pending, 1);
      assert.deepEqual(heard, []);
      client.present(at.provider.token({ sub: "alice" }));
      client.send("at once");
      assert.equal((await client.told()).type, "auth.ok");
      client.present("one more token, whose answer shows that all earlier messages have arrived");
      assert.equal((await client.told()).type, "auth.refused");
      assert.deepEqual(heard, ["opened for alice", "at once"]);
      assert.deepEqual([at.connections.status().pending, at.connections.status().open], [0, 1]);
    });

    test("fault 53: a cookie opens a connection for listed origins, and all others get 403 before the upgrade", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, { tokenFrom: { cookie } });
      const cookies = { cookie: `theme=dark; __Host-session=${at.provider.token()}` };
      const client = await connect(port, { headers: { ...cookies, origin: "https://app.example.com" } });
      assert.equal((await client.told()).type, "auth.ok");
      for (const origin of ["https://evil.example", "null", "https://app.example.com.evil.example"]) {
        await refused(port, { headers: { ...cookies, origin } }, 403, "origin_not_allowed");
      }
      await refused(port, { headers: cookies }, 403, "origin_not_allowed");
      assert.equal(at.connections.status().open, 1);
    });

    test("fault 53: two cookies with the name are refused", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, { tokenFrom: { cookie } }, unreachable);
      const twice = `__Host-session=${at.provider.token()}; __Host-session=${at.provider.token()}`;
      const headers = { cookie: twice, origin: "https://app.example.com" };
      await refused(port, { headers }, 400, "invalid_request");
    });

    test("a token in the URL is refused", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, {}, unreachable);
      const token = at.provider.token();
      await refused(port, { path: `/chat?access_token=${token}` }, 400, "invalid_request");
      await refused(
        port,
        { path: `/chat?access_token=${token}`, headers: bearer(token) },
        400,
        "invalid_request",
      );
    });

    test("law 5: a token in the URL, where it is enabled, reaches neither the application nor the log", async (t) => {
      const at = await setUp(t);
      const urls: string[] = [];
      const application: Application = { opened: ({ url }) => void urls.push(url) };
      const { port, log } = await serve(t, at, { tokenFrom: { query: { name: "ticket" } } }, application);
      const token = at.provider.token();
      const client = await connect(port, { path: `/chat?room=1&ticket=${token}&x=2?3` });
      assert.equal((await client.told()).type, "auth.ok");
      assert.deepEqual(urls, ["/chat?room=1&x=2?3"]);
      await refused(port, { path: `/chat?ticket=nonsense-in-the-url` }, 401, "invalid_token");
      await refused(port, { path: `/chat?access_token=${token}` }, 400, "invalid_request");
      assert.ok(!log().includes(token) && !log().includes("nonsense-in-the-url"), log());
    });

    test("a handshake without a token gets 401 with a challenge, without a call of the guard", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, {}, unreachable);
      const headers = await refused(port, {}, 401, "unauthorized");
      assert.equal(headers["www-authenticate"], 'Bearer realm="api"');
    });

    test("a malformed token, or more than one, gets 400", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, {}, unreachable);
      const token = at.provider.token();
      const offers: Offer[] = [
        { headers: bearer("a b") },
        { headers: bearer(token), protocols: ["chat", tokenSubprotocol(token)] },
        { protocols: ["chat", tokenSubprotocol(token), tokenSubprotocol(at.provider.token())] },
        { protocols: ["chat", `${tokenSubprotocol(token)}=`.replace("=", "!")] },
      ];
      for (const offer of offers) {
        const headers = await refused(port, offer, 400, "invalid_request");
        assert.equal(headers["www-authenticate"], 'Bearer realm="api", error="invalid_request"');
      }
    });

    test("an expired, forged, revoked or foreign token gets 401", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, {}, unreachable);
      const stranger = await createProvider({ audience, clock: at.clock });
      const revoked = at.provider.token({ sub: "bob" });
      await at.revoke("bob");
      await at.clock.advance(300);
      const tokens = [
        at.provider.token({ exp: 1 }),
        stranger.token({}, { kid: at.provider.kid }),
        at.provider.token({ aud: "another" }),
        revoked,
        "nonsense",
      ];
      for (const token of tokens) {
        const headers = await refused(port, { headers: bearer(token) }, 401, "invalid_token");
        assert.equal(headers["www-authenticate"], 'Bearer realm="api", error="invalid_token"');
      }
    });

    test("a missing scope gets 403 and is named", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, { scopes: ["chat", "post"] }, unreachable);
      const offer = { headers: bearer(at.provider.token({ scope: "chat" })) };
      const headers = await refused(port, offer, 403, "insufficient_scope");
      const challenge = 'Bearer realm="api", error="insufficient_scope", scope="chat post"';
      assert.equal(headers["www-authenticate"], challenge);
    });

    test("a login that is too old gets the challenge of RFC 9470 before the upgrade", async (t) => {
      const at = await setUp(t);
      const { port } = await serve(t, at, { maxAuthAgeMs: 300_000 }, unreachable);
      const offer = { headers: bearer(at.provider.token({ auth_time: 1 })) };
      const headers = await refused(port, offer, 401, "insufficient_user_authentication");
      assert.match(headers["www-authenticate"] ?? "", /"insufficient_user_authentication".*max_age="300"$/);
    });

    test("law 1: a token that cannot be checked gets 503 with Retry-After", async (t) => {
      const at = await setUp(t, { hasAuthority: true });
      at.provider.fault("introspection", { status: 500 });
      const { port } = await serve(t, at, { degraded: "deny" }, unreachable);
      const offer = { headers: bearer(at.provider.token()) };
      const headers = await refused(port, offer, 503, "temporarily_unavailable");
      assert.match(String(headers["retry-after"]), /^[1-9]\d*$/);
      assert.equal(headers["www-authenticate"], undefined);
    });

    test("law 1: connections that throw or reject give 503", async (t) => {
      const at = await setUp(t);
      const fails = async () => await Promise.reject(new Error("secret detail"));
      for (const admit of [fails, () => undefined, () => assert.fail("secret detail")]) {
        const broken = { ...at.connections, admit: admit as Fixture["connections"]["admit"] };
        const { port } = await library.serve(t, broken, {}, unreachable);
        const offer = { headers: bearer(at.provider.token()) };
        const headers = await refused(port, offer, 503, "temporarily_unavailable");
        assert.equal(headers["retry-after"], "1");
      }
    });

    test("a handshake beyond a limit gets 429 with Retry-After", async (t) => {
      const at = await setUp(t, { maxPerSubject: 1 });
      const { port } = await serve(t, at);
      const offer = { headers: bearer(at.provider.token()) };
      const client = await connect(port, offer);
      const headers = await refused(port, offer, 429, "too_many");
      assert.match(String(headers["retry-after"]), /^[1-9]\d*$/);
      client.socket.close(1000);
      await client.closed;
      assert.equal((await (await connect(port, offer)).told()).type, "auth.ok");
    });

    test("law 10: a degraded decision is declared on the 101 response", async (t) => {
      const at = await setUp(t, { hasAuthority: true });
      at.provider.fault("introspection", { status: 500 });
      const { port } = await serve(t, at);
      const client = await connect(port, { headers: bearer(at.provider.token()) });
      assert.equal(client.headers["x-auth-degraded"], "authority_unavailable");
      assert.equal((await client.told())["degraded"], "authority_unavailable");
    });

    test("checks options at creation", async (t) => {
      const { connections } = await setUp(t);
      const wrong: [options: unknown, message: RegExp][] = [
        [{ scope: ["chat"] }, / has no option "scope"; it has scopes, /],
        [{ scopes: "chat" }, /^protect: scopes must be an array of strings; got "chat"/],
        [{ degraded: true }, /^protect: degraded must be deny, cached or local; got true/],
        [{ tokenFrom: { query: {} } }, /^tokenFrom\.query: name must be/],
      ];
      for (const [options, message] of wrong) {
        await assert.rejects(async () => await library.protect(connections, options), {
          code: "invalid_option",
          message,
        });
      }
      const rest = { ...connections, admit: undefined };
      const message = /protect needs connections with admit\(\), which it lacks/;
      await assert.rejects(async () => await library.protect(rest, {}), { code: "missing_method", message });
    });
  });
}
