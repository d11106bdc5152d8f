import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { Server } from "socket.io";
import { io as connect, type Socket } from "socket.io-client";
import { protect, type AuthData } from "../../src/adapters/socket-io.ts";
import { Ended, type AuthClient, type SocketEnd } from "../../src/client/index.ts";
import { authenticateSocket } from "../../src/client/socket-io.ts";
import { createConnections } from "../../src/connections/index.ts";
import { createGuard, jwks } from "../../src/index.ts";
import { apiUrl, idUrl, settle, startDevice, type Device } from "./device.ts";

type Events = Record<string, (...args: unknown[]) => void>;

interface Chat {
  readonly device: Device;
  readonly auth: AuthClient;
  readonly socket: Socket;
  /** The ends that the page was told. */
  readonly ends: SocketEnd[];
  /** The subjects that joined, in order. */
  readonly joined: string[];
  /** How many sockets tried to join. */
  readonly attempts: () => number;
  readonly io: Server<Events, Events, Events, AuthData>;
  /** Advances the common clock in steps, until the condition holds. */
  readonly passUntil: (condition: () => boolean, what: string) => Promise<void>;
}

/** Starts an issuer, a protected server of socket.io, and a page that is logged in as ann. All have one fake clock. */
async function startChat(t: TestContext, { hasCookies = false } = {}): Promise<Chat> {
  const page = "https://app.example.com";
  const device = startDevice(t, { accessTokenTtlMs: 300_000, cookies: { origins: [page] } });
  const { clock, issuer } = device;
  const guard = createGuard({
    issuer: idUrl,
    audience: apiUrl,
    keys: jwks(`${idUrl}/.well-known/jwks.json`, {
      fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
    }),
    revocations: issuer.revocations,
    clock,
  });
  const connections = createConnections({ guard, clock, random: () => 0.5, warnMs: 60_000 });
  const http = createServer().listen(0, "127.0.0.1");
  await once(http, "listening");
  const io = new Server<Events, Events, Events, AuthData>(http);
  let attempts = 0;
  io.use((_socket, next) => {
    attempts++;
    next();
  });
  const cookie = { name: "__Host-hf_at", origins: [page] };
  protect(connections, hasCookies ? { tokenFrom: { cookie } } : {}, io);
  const joined: string[] = [];
  io.on("connection", (socket) => joined.push(socket.data.auth.auth?.subject ?? ""));

  const jar = new Map<string, string>();
  const auth = device.tab(hasCookies ? { mode: "cookie", fetch: cookieFetch(device, page, jar) } : {});
  await auth.login({ username: "ann" });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const socket = connect(url, {
    autoConnect: false,
    reconnectionDelay: 5,
    reconnectionDelayMax: 5,
    // A browser adds both headers to each transport.
    extraHeaders: {
      origin: page,
      get cookie() {
        return [...jar].map((pair) => pair.join("=")).join("; ");
      },
    },
  });
  const ends: SocketEnd[] = [];
  const stop = authenticateSocket(auth, socket, { clock, random: () => 0.5, onEnd: (end) => ends.push(end) });
  t.after(async () => {
    stop();
    await io.close();
    await connections.close();
    await guard.close();
  });
  const passUntil = async (condition: () => boolean, what: string) => {
    for (let i = 0; i < 6_000 && !condition(); i++) {
      await clock.advance(250);
      await settle(2);
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5)); // The sockets are real.
    }
    assert.ok(condition(), what);
  };
  return { device, auth, socket, ends, joined, attempts: () => attempts, io, passUntil };
}

/** A browser's cookies: it keeps those of the answers, and sends them with its origin. */
function cookieFetch(device: Device, page: string, jar: Map<string, string>): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    request.headers.set("Origin", page);
    request.headers.set("Cookie", [...jar].map((pair) => pair.join("=")).join("; "));
    const response = await device.issuer.fetch(request);
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    return response;
  };
}

/** Breaks the transports of all sockets, as a lost network does. */
function breakTransports(io: Chat["io"]): void {
  for (const socket of io.of("/").sockets.values()) socket.conn.close();
}

describe("a socket of socket.io that the session drives", () => {
  test("joins with the token, and stays connected over the life of many tokens", async (t) => {
    const { device, socket, joined, passUntil, io, auth } = await startChat(t);
    await passUntil(() => socket.connected, "the socket joins");
    let serverSide = [...io.of("/").sockets.values()][0];
    const firstExpiry = serverSide?.data.auth.auth?.expiresAt ?? 0;
    await passUntil(
      () => (serverSide?.data.auth.auth?.expiresAt ?? 0) > firstExpiry + 600_000,
      "the token is renewed",
    );
    serverSide = [...io.of("/").sockets.values()][0];
    assert.deepEqual(joined, ["ann"]);
    assert.equal(auth.state.status, "in");
    assert.ok(device.count("/auth/refresh") <= 4, `${device.count("/auth/refresh")} refreshes in 15 minutes`);
  });

  test("in cookie mode, a new transport brings the new cookie before the old one expires", async (t) => {
    const { device, socket, joined, passUntil, auth } = await startChat(t, { hasCookies: true });
    await passUntil(() => socket.connected, "the socket joins");
    const start = device.clock.now();
    await passUntil(() => joined.length === 3 && socket.connected, "two more transports join");
    assert.deepEqual(joined, ["ann", "ann", "ann"]);
    assert.ok(device.clock.now() - start > 300_000, "the page connected again too early");
    assert.equal(auth.state.status, "in");
  });

  test("fault 5: an outage without a usable token leaves the socket waiting, and it comes back", async (t) => {
    const { device, socket, joined, attempts, passUntil, io, ends } = await startChat(t);
    await passUntil(() => socket.connected, "the socket joins");
    let refused = 0;
    device.fault = (path) => {
      if (path !== "/auth/refresh") return undefined;
      refused++;
      return new Response("<h1>down</h1>", { status: 502 });
    };
    await passUntil(() => !socket.connected, "the server closes the socket of the expired token");
    breakTransports(io);
    await passUntil(() => refused >= 8, "the page tries again");
    const during = attempts();
    await passUntil(() => refused >= 10, "the page tries again");
    assert.equal(attempts(), during, "a socket tried to join without a token");
    device.fault = () => undefined;
    await passUntil(() => socket.connected, "the socket is back");
    assert.deepEqual(joined, ["ann", "ann"]);
    assert.deepEqual(ends, []);
  });

  test("after a sleep beyond the life of its token, the socket joins with a fresh one", async (t) => {
    const { device, socket, joined, passUntil, io } = await startChat(t);
    await passUntil(() => socket.connected, "the socket joins");
    breakTransports(io);
    device.clock.suspend(3_600_000);
    await passUntil(() => joined.length === 2, "the socket is back");
  });

  test("a revoked session closes the socket for good, with code 4503", async (t) => {
    const { device, socket, ends, passUntil, joined } = await startChat(t);
    await passUntil(() => socket.connected, "the socket joins");
    await device.issuer.sessions.endAll("ann");
    await passUntil(() => ends.length > 0, "the page is told");
    assert.deepEqual(ends, [{ code: 4503, error: "token_revoked" }]);
    assert.equal(socket.connected, false);
    assert.deepEqual(joined, ["ann"]);
  });

  test("a revoked token is replaced once, and the socket comes back", async (t) => {
    const { device, socket, ends, passUntil, joined, auth } = await startChat(t);
    await passUntil(() => socket.connected, "the socket joins");
    const claims = JSON.parse(atob(auth.peek()?.split(".")[1] ?? "")) as { jti: string };
    await device.issuer.revoke({ kind: "token", id: claims.jti });
    await passUntil(() => joined.length === 2, "the socket is back");
    assert.deepEqual(ends, []);
  });

  test("a logout in another tab closes the socket, and another user's login does not reuse it", async (t) => {
    const { device, socket, ends, passUntil, joined, auth } = await startChat(t);
    await passUntil(() => socket.connected, "the socket joins");
    const other = device.tab();
    await other.logout();
    await passUntil(() => auth.state.status === "out", "the tab is logged out");
    assert.deepEqual(ends, [{ code: 1000, error: "" }]);
    await other.login({ username: "bob" });
    await passUntil(() => auth.state.status === "in", "the tab shows the other user");
    assert.equal(socket.connected, false);
    assert.deepEqual(joined, ["ann"]);
  });

  test("without a session the socket ends at once, and sends nothing", async (t) => {
    const device = startDevice(t);
    const auth = device.tab();
    const ends: SocketEnd[] = [];
    const socket = connect("http://127.0.0.1:9", { autoConnect: false });
    authenticateSocket(auth, socket, { onEnd: (end) => ends.push(end) });
    await auth.ready;
    await auth.logout();
    await settle();
    assert.deepEqual(ends, [{ code: 1000, error: "" }]);
    assert.equal(socket.active, false);
  });

  test("the socket ends with the session of a client that comes from the other package", async (t) => {
    const copy = (await import(new URL("../../src/client/errors.ts?copy", import.meta.url).href)) as {
      Ended: typeof Ended;
    };
    assert.notEqual(copy.Ended, Ended);
    const device = startDevice(t);
    const tab = device.tab();
    await tab.login({ username: "ann" });
    const accessToken = async () => await Promise.reject<string>(new copy.Ended("logout"));
    const auth = Object.create(tab, { accessToken: { value: accessToken } }) as AuthClient;
    const ends: SocketEnd[] = [];
    const socket = connect("http://127.0.0.1:9", { autoConnect: false, reconnection: false });
    t.after(authenticateSocket(auth, socket, { clock: device.clock, onEnd: (end) => ends.push(end) }));
    const askForToken = socket.auth as (give: () => void) => void;
    askForToken(() => assert.fail("the socket sent a token"));
    await settle();
    assert.deepEqual(ends, [{ code: 1000, error: "" }]);
  });

  test("a server that is full is asked again after the time that it names", async (t) => {
    const { socket, joined, passUntil, io, device } = await startChat(t);
    await passUntil(() => socket.connected, "the socket joins");
    let isFull = true;
    let refusals = 0;
    io.use((_socket, next) => {
      if (!isFull) return next();
      refusals++;
      next(Object.assign(new Error("too many"), { data: { code: 4429, error: "too_many", retry_after: 5 } }));
    });
    const start = device.clock.now();
    breakTransports(io);
    await passUntil(() => refusals === 2, "the server refuses twice");
    assert.ok(device.clock.now() - start >= 5_000, "the page came back too early");
    isFull = false;
    await passUntil(() => joined.length === 2, "the socket is back");
  });
});
