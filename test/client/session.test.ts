import assert from "node:assert/strict";
import { test } from "node:test";
import { Ended, LoginRefused, Unavailable } from "../../src/client/index.ts";
import { settle, startDevice } from "./device.ts";

const credentials = { username: "ann", password: "correct horse battery" };
const REFRESH = "/auth/refresh";

test("a login is stored, and another tab and the next start use it without a request", async (t) => {
  const device = startDevice(t);
  const one = device.tab();
  assert.deepEqual(one.state, { status: "loading" });
  await one.ready;
  assert.deepEqual(one.state, { status: "out", cause: null });
  await one.login(credentials);
  const token = await one.accessToken();
  assert.equal(one.peek(), token);
  assert.equal(one.state.status === "in" && one.state.subject, "ann");
  const two = device.tab();
  await two.ready;
  assert.equal(two.peek(), token);
  assert.equal(await two.accessToken(), token);
  assert.deepEqual(device.sent, ["/auth/login"]);
});

test("a refused login tells the cause, and an outage of the service is no refusal", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await assert.rejects(auth.login({ username: "mallory" }), (error: LoginRefused) => {
    assert.ok(error instanceof LoginRefused);
    assert.equal(error.cause, "invalid_credentials");
    assert.equal("retryAfterMs" in error, false, "another attempt may follow at once");
    return true;
  });
  device.fault = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
  await assert.rejects(auth.login(credentials), (error: Unavailable) => error.cause === "http_5xx");
  assert.deepEqual(auth.state, { status: "out", cause: null });
});

test("law 7: twenty callers in one tab and five tabs cause one request a generation", async (t) => {
  const device = startDevice(t);
  const first = device.tab();
  await first.login(credentials);
  const tabs = [first, ...Array.from({ length: 4 }, () => device.tab())];
  device.clock.suspend(3_600_000);
  device.sent.length = 0;
  const tokens = await Promise.all(
    tabs.flatMap((tab) => Array.from({ length: 20 }, async () => await tab.accessToken())),
  );
  assert.equal(new Set(tokens).size, 1);
  assert.equal(device.count(REFRESH), 1);
  await settle();
  assert.equal(device.count("/auth/refresh/ack"), 1);
});

test("a token is refreshed in the background before it expires, and once it is unusable the caller waits", async (t) => {
  const device = startDevice(t, { accessTokenTtlMs: 600_000 });
  const auth = device.tab();
  await auth.login(credentials);
  const old = await auth.accessToken();
  device.clock.suspend(500_000);
  assert.equal(await auth.accessToken(), old, "it lives for another 100 s");
  await settle();
  assert.equal(device.count(REFRESH), 1);
  const next = await auth.accessToken();
  assert.notEqual(next, old);
  device.clock.suspend(599_000);
  assert.equal(auth.peek(), null);
  assert.notEqual(await auth.accessToken(), next);
});

test("the timer refreshes the token without a call", async (t) => {
  const device = startDevice(t, { accessTokenTtlMs: 600_000 });
  const auth = device.tab();
  await auth.login(credentials);
  await device.clock.advance(479_000);
  assert.equal(device.count(REFRESH), 0);
  await device.clock.advance(2_000);
  await settle();
  assert.equal(device.count(REFRESH), 1);
  await auth.logout();
  await device.clock.advance(10_000_000);
  assert.equal(device.count(REFRESH), 1);
});

test("law 1: only a proven end logs out, and every other answer keeps the tokens", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await auth.login(credentials);
  const answers: [expected: string, answer: () => Response | Promise<Response>][] = [
    ["http_5xx", () => new Response("", { status: 500 })],
    ["http_5xx", () => new Response("<h1>Bad gateway</h1>", { status: 502 })],
    ["http_429", () => Response.json({ error: "too_many_requests" }, { status: 429 })],
    ["http_4xx", () => Response.json({ error: "forbidden" }, { status: 403 })],
    ["http_4xx", () => Response.json({ error: "invalid_request" }, { status: 400 })],
    ["http_4xx", () => new Response("invalid_grant", { status: 400 })],
    ["http_4xx", () => Response.json({ error: "invalid_grant" }, { status: 404 })],
    ["not_json", () => new Response("<h1>Please log in to the hotel</h1>")],
    ["not_json", () => Response.redirect("https://hotel.example/login")],
    ["not_json", () => Response.json({ access_token: "a.b.c", refresh_token: "r", expires_in: 600 })],
    ["not_json", () => Response.json(null)],
    ["network", async () => await Promise.reject(new TypeError("Failed to fetch"))],
    ["network", () => new Response(new ReadableStream({ start: (c) => c.error(new Error("reset")) }))],
    ["timeout", async () => await new Promise(() => undefined)],
    ["timeout", () => new Response(new ReadableStream())],
    ["conflict", () => Response.json({ error: "refresh_conflict" }, { status: 409 })],
  ];
  for (const [cause, answer] of answers) {
    device.fault = (path) => (path === REFRESH ? answer() : undefined);
    await device.clock.advance(3_600_000);
    const rejected = assert.rejects(auth.accessToken(), (error: Unavailable) => {
      assert.ok(error instanceof Unavailable, String(error));
      assert.equal(error.cause, cause);
      assert.ok(error.retryAfterMs >= 0);
      return true;
    });
    await device.clock.advance(10_000);
    await rejected;
    assert.equal(auth.state.status === "in" && auth.state.trouble?.cause, cause);
  }
  device.fault = () => undefined;
  await device.clock.advance(60_000);
  await auth.accessToken();
  assert.equal(auth.state.status === "in" && auth.state.trouble, null);
  assert.equal(await device.hasAlarm(), false);
});

for (const life of [0, -5, NaN, "600", null, undefined, Infinity]) {
  test(`an answer with the life ${life} is malformed, and the session goes on`, async (t) => {
    const device = startDevice(t);
    const auth = device.tab();
    await auth.login(credentials);
    device.fault = async (path, _, pass) => {
      const answer = (await (await pass()).json()) as object;
      return Response.json(path === REFRESH ? { ...answer, expires_in: life } : answer);
    };
    await assert.rejects(
      auth.accessToken({ fresh: true }),
      (error: Unavailable) => error.cause === "not_json",
    );
    device.fault = () => undefined;
    await device.clock.advance(60_000);
    assert.ok(await auth.accessToken({ fresh: true }));
  });
}

for (const lostAnswerMs of [86_400_000, 0]) {
  const service = lostAnswerMs === 0 ? "a strict service" : "the service";
  test(`law 2: in the last second of a session ${service} sends the life 0, and the client ends a second later`, async (t) => {
    const device = startDevice(t, { refreshIdleMs: 3_600_500, refreshAbsoluteMs: 3_600_500, lostAnswerMs });
    const auth = device.tab();
    await auth.login(credentials);
    device.clock.suspend(3_600_100);
    const lives: unknown[] = [];
    device.fault = async (path, _, pass) => {
      const response = await pass();
      if (path === REFRESH)
        lives.push(((await response.clone().json()) as { expires_in?: number }).expires_in);
      return response;
    };
    await assert.rejects(auth.accessToken(), (error: Unavailable) => error.cause === "not_json");
    assert.equal(auth.peek(), null, "an expired token is not handed out");
    assert.equal(auth.state.status, "in");
    await device.clock.advance(2_000);
    await assert.rejects(auth.accessToken(), Ended);
    assert.deepEqual(lives, [0, undefined]);
    assert.equal(await device.hasAlarm(), false);
  });
}

test("an outage causes at most four requests in four seconds, and after a minute one in 30 s", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await auth.login(credentials);
  device.clock.suspend(3_600_000);
  device.fault = () => new Response("", { status: 503 });
  const poll = async (ms: number) => {
    device.sent.length = 0;
    for (let at = 0; at < ms; at += 100) {
      await assert.rejects(auth.accessToken(), Unavailable);
      await device.clock.advance(100);
    }
    return device.sent.length;
  };
  assert.ok((await poll(4_000)) <= 4);
  await poll(56_000);
  assert.ok((await poll(30_000)) <= 1);
});

test("Retry-After of the service is kept, and a cool-down by the network ends when the device is online", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await auth.login(credentials);
  device.fault = () => new Response("", { status: 503, headers: { "Retry-After": "120" } });
  await assert.rejects(
    auth.accessToken({ fresh: true }),
    (error: Unavailable) => error.retryAfterMs === 120_000,
  );
  device.sent.length = 0;
  await device.clock.advance(100_000);
  await assert.rejects(auth.accessToken({ fresh: true }), Unavailable);
  assert.deepEqual(device.sent, []);
});

test("a lost answer and 1 s to 23 h of sleep later the session goes on, without an alarm", async (t) => {
  for (const sleptMs of [1_000, 45_000, 8 * 3_600_000, 23 * 3_600_000]) {
    const device = startDevice(t);
    const auth = device.tab();
    await auth.login(credentials);
    await device.clock.advance(3_600_000);
    device.fault = async (_, __, pass) => {
      await pass();
      throw new TypeError("Failed to fetch");
    };
    await assert.rejects(
      auth.accessToken({ fresh: true }),
      (error: Unavailable) => error.cause === "network",
    );
    device.clock.suspend(sleptMs);
    device.fault = () => undefined;
    await device.clock.advance(60_000);
    await auth.accessToken({ fresh: true });
    assert.equal(auth.state.status, "in");
    assert.equal(await device.hasAlarm(), false);
    auth.close();
  }
});

test("a session that ended at the service ends in every tab, with its cause", async (t) => {
  const device = startDevice(t);
  const [one, two] = [device.tab(), device.tab()];
  await one.login(credentials);
  await two.accessToken();
  const id = one.state.status === "in" ? one.state.sessionId : "";
  await device.issuer.endSession(id);
  await assert.rejects(one.accessToken({ fresh: true }), (error: Ended) => {
    assert.ok(error instanceof Ended);
    return error.cause === "invalid_grant";
  });
  assert.deepEqual(one.state, { status: "out", cause: "invalid_grant" });
  await assert.rejects(two.accessToken({ fresh: true }), Ended);
  assert.deepEqual(two.state, one.state);
});

test("a session that nobody used for too long has expired", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await auth.login(credentials);
  device.clock.suspend(40 * 86_400_000);
  await assert.rejects(auth.accessToken(), (error: Ended) => error.cause === "expired");
});

test("an error before the first login says that there is no session", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  await assert.rejects(auth.accessToken(), { name: "Ended", message: "no session", cause: null });
  assert.deepEqual(device.sent, []);
});

test("a logout before the answer to the first login ends the session of this login, too", async (t) => {
  const device = startDevice(t);
  const auth = device.tab();
  const sent = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  device.fault = (path, _request, pass) => {
    if (path !== "/auth/login") return undefined;
    sent.resolve();
    return released.promise.then(pass);
  };
  const login = assert.rejects(
    auth.login(credentials),
    (error: LoginRefused) => error.cause === "logged_out",
  );
  await sent.promise;
  await auth.logout();
  released.resolve();
  await login;
  await settle();
  assert.deepEqual(auth.state, { status: "out", cause: "logout" });
  assert.equal(device.count("/auth/logout"), 1);
});
