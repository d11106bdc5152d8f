import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import { createGuard, discovered } from "../../../src/index.ts";
import { BASIC, bearerHeader, sendRequest, createFixture, logIn, ISSUER_URL } from "../fixture.ts";

const json = { "Content-Type": "application/json" };
const form = { "Content-Type": "application/x-www-form-urlencoded" };
const basic = (credentials: string) => ({
  Authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
});

/** An object whose deepest array has this depth. */
const nested = (depth: number) => `{"x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;

interface Problem {
  error: string;
  error_description: string;
}

describe("malformed requests", () => {
  // method, path, headers, body, status, error, pattern of the description
  const cases: [string, string, Record<string, string>, string, number, string, RegExp][] = [
    ["POST", "/auth/login", json, "{", 400, "invalid_request", /not JSON/],
    ["POST", "/auth/login", json, "", 400, "invalid_request", /not JSON/],
    ["POST", "/auth/login", json, "[]", 400, "invalid_request", /must be an object/],
    ["POST", "/auth/login", json, "null", 400, "invalid_request", /must be an object/],
    [
      "POST",
      "/auth/login",
      json,
      '{"password":"hunter2hunter2"}',
      400,
      "invalid_request",
      /username: must be a string/,
    ],
    [
      "POST",
      "/auth/login",
      json,
      '{"username":"a","password":7}',
      400,
      "invalid_request",
      /password: must be a string/,
    ],
    ["POST", "/auth/refresh", json, "{}", 400, "invalid_request", /refresh_token: must be a string/],
    ["POST", "/auth/refresh", json, '{"refresh_token":["x"]}', 400, "invalid_request", /refresh_token/],
    ["POST", "/auth/refresh", json, '{"refresh_token":"hfr_x"}', 400, "invalid_grant", /not valid/],
    ["POST", "/auth/logout", json, "{}", 400, "invalid_request", /refresh_token/],
    [
      "POST",
      "/auth/refresh",
      { "Content-Type": "text/plain" },
      "{}",
      415,
      "invalid_request",
      /application\/json/,
    ],
    ["POST", "/auth/refresh", {}, "{}", 415, "invalid_request", /application\/json/],
    ["POST", "/auth/login", json, `{"x":"${"x".repeat(65_536)}"}`, 413, "invalid_request", /65536 bytes/],
    [
      "POST",
      "/auth/login",
      { ...json, "Content-Encoding": "gzip" },
      "{}",
      415,
      "invalid_request",
      /no content coding/,
    ],
    ["POST", "/auth/login", json, nested(33), 400, "invalid_request", /nest deeper than 32/],
    ["POST", "/auth/login", json, nested(20_000), 400, "invalid_request", /nest deeper than 32/],
    ["POST", "/auth/login", json, nested(32), 400, "invalid_request", /username: must be a string/],
    ["POST", "/auth/login", json, `{"x":${"[]".repeat(50)}}`, 400, "invalid_request", /not JSON/],
    [
      "POST",
      "/auth/login",
      json,
      JSON.stringify({ x: "[{".repeat(50), y: `\\"${"[".repeat(50)}` }),
      400,
      "invalid_request",
      /username: must be a string/,
    ],
    ["POST", "/oauth/token", form, "a=b&".repeat(64), 400, "invalid_request", /64 parameters/],
    ["GET", "/auth/login", {}, "", 405, "invalid_request", /method/],
    ["PUT", "/auth/sessions/x", json, "{}", 405, "invalid_request", /method/],
    ["POST", "/.well-known/jwks.json", json, "{}", 405, "invalid_request", /method/],
    ["GET", "/auth", {}, "", 404, "not_found", /nothing here/],
    ["GET", "/auth/sessions/%E0%A4%A", {}, "", 405, "invalid_request", /method/],
  ];
  for (const [method, path, headers, body, status, error, description] of cases) {
    test(`${method} ${path} with ${body.slice(0, 40) || "nothing"}: ${status} ${error}`, async () => {
      const { issuer } = createFixture({ authenticate: undefined } as object);
      const init = method === "GET" ? { method, headers } : { method, headers, body: Buffer.from(body) };
      const response = await issuer.fetch(new Request(new URL(path, ISSUER_URL), init));
      assert.equal(response.status, status);
      assert.equal(response.headers.get("Cache-Control"), "no-store");
      assert.match(response.headers.get("Content-Type") ?? "", /^application\/json/);
      const problem = (await response.json()) as Problem;
      assert.deepEqual(Object.keys(problem), ["error", "error_description"]);
      assert.equal(problem.error, error);
      assert.match(problem.error_description, description);
      assert.doesNotMatch(problem.error_description, /hunter2|at .*\.ts/);
      if (status === 405) assert.match(response.headers.get("Allow") ?? "", /^(GET, HEAD|POST|DELETE)$/);
    });
  }

  test("cuts off an endless body at the limit, whatever Content-Length says", async () => {
    const { issuer } = createFixture();
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1024;
        controller.enqueue(new Uint8Array(1024));
      },
    });
    const init = { method: "POST", headers: { ...json, "Content-Length": "2" }, body, duplex: "half" };
    const response = await issuer.fetch(new Request(`${ISSUER_URL}/auth/login`, init as RequestInit));
    assert.equal(response.status, 413);
    assert.ok(sent < 100_000);
  });

  test("law 6: refuses a body in thousands of tiny parts before it has read all of them", async () => {
    const { issuer } = createFixture();
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent++;
        controller.enqueue(new Uint8Array(1));
      },
    });
    const init = { method: "POST", headers: json, body, duplex: "half" };
    const response = await issuer.fetch(new Request(`${ISSUER_URL}/auth/login`, init as RequestInit));
    assert.equal(response.status, 413);
    assert.ok(sent < 5000, `${sent} parts were read`);
  });

  test("gives up a body that never ends and cancels its stream", async () => {
    const { issuer, clock } = createFixture();
    await issuer.ready();
    let cancelled = false;
    const body = new ReadableStream({
      pull: async () => await new Promise(() => {}),
      cancel: () => void (cancelled = true),
    });
    const init = { method: "POST", headers: json, body, duplex: "half" };
    const answer = issuer.fetch(new Request(`${ISSUER_URL}/auth/login`, init as RequestInit));
    await clock.advance(30_000);
    assert.equal((await answer).status, 408);
    assert.ok(cancelled);
    await issuer.close();
    assert.equal(clock.pending, 0);
  });

  test("a body that breaks off is 400", async () => {
    const { issuer } = createFixture();
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) });
    const init = { method: "POST", headers: json, body, duplex: "half" };
    const response = await issuer.fetch(new Request(`${ISSUER_URL}/auth/login`, init as RequestInit));
    assert.equal(response.status, 400);
  });
});

describe("authorization over HTTP", () => {
  test("distinguishes a missing, a malformed and an invalid bearer token as RFC 6750 says", async () => {
    const { issuer } = createFixture();
    const tokens = await logIn(issuer);
    const forged = `${tokens.access_token.slice(0, -4)}AAAA`;
    const cases: [Record<string, string>, number, string][] = [
      [{}, 401, 'Bearer realm="auth"'],
      [{ Authorization: "Basic x" }, 401, 'Bearer realm="auth"'],
      [{ Authorization: "Bearer" }, 400, 'Bearer realm="auth", error="invalid_request"'],
      [{ Authorization: "Bearer a, Bearer b" }, 400, 'Bearer realm="auth", error="invalid_request"'],
      [{ Authorization: "Basic x, Bearer a" }, 400, 'Bearer realm="auth", error="invalid_request"'],
      [{ Authorization: "Bearer a" }, 401, 'Bearer realm="auth", error="invalid_token"'],
      [{ Authorization: `Bearer ${forged}` }, 401, 'Bearer realm="auth", error="invalid_token"'],
      [{ Authorization: `bearer ${"a".repeat(20_000)}` }, 401, 'Bearer realm="auth", error="invalid_token"'],
      [
        { Authorization: `Bearer ${tokens.refresh_token}` },
        401,
        'Bearer realm="auth", error="invalid_token"',
      ],
    ];
    for (const [headers, status, challenge] of cases) {
      const response = await sendRequest(issuer, "GET", "/auth/sessions", undefined, headers);
      assert.equal(response.status, status);
      assert.equal(response.headers.get("WWW-Authenticate"), challenge);
    }
    assert.equal(
      (await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(tokens))).status,
      200,
    );
  });

  test("only a known service may validate tokens", async () => {
    const { issuer } = createFixture();
    const { access_token: token } = await logIn(issuer);
    const wrongOnes = ["orders:wrong", "nobody:the secret of orders", "orders", ":", "orders:"].map(basic);
    const headersTried: Record<string, string>[] = [{}, { Authorization: `Bearer ${token}` }, ...wrongOnes];
    for (const headers of headersTried) {
      const response = await sendRequest(issuer, "POST", "/auth/validate", { token }, headers);
      assert.equal(response.status, 401);
      assert.equal(response.headers.get("WWW-Authenticate"), 'Basic realm="auth"');
      assert.equal(((await response.json()) as Problem).error, "invalid_client");
    }
    const response = await sendRequest(
      issuer,
      "POST",
      "/auth/validate",
      { token: "x" },
      { Authorization: BASIC },
    );
    assert.deepEqual(await response.json(), { valid: false, reason: "malformed" });
  });

  test("law 2: every endpoint refuses an access token at its expiry", async () => {
    const { issuer, clock } = createFixture();
    const tokens = await logIn(issuer);
    await clock.advance(604_999);
    assert.equal(
      (await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(tokens))).status,
      200,
    );
    await clock.advance(1);
    for (const [method, path] of [
      ["GET", "/auth/sessions"],
      ["POST", "/auth/logout"],
      ["POST", "/auth/logout-all"],
      ["DELETE", `/auth/sessions/${tokens.session_id}`],
    ] as const) {
      assert.equal((await sendRequest(issuer, method, path, undefined, bearerHeader(tokens))).status, 401);
    }
  });

  test("logout with a foreign, unknown or spent token is 204, and an ended session is not ended again", async () => {
    const { issuer, store } = createFixture();
    const tokens = await logIn(issuer);
    for (const refresh_token of ["", "foreign", tokens.refresh_token, tokens.refresh_token]) {
      assert.equal((await sendRequest(issuer, "POST", "/auth/logout", { refresh_token })).status, 204);
    }
    assert.equal((await store.revocations.snapshot()).entries.length, 1, "one end is appended");
    const all = await sendRequest(issuer, "POST", "/auth/logout-all", {
      refresh_token: tokens.refresh_token,
    });
    assert.equal(all.status, 400, "an ended session cannot end others");
  });

  test("logout by a refresh token ignores credentials of another scheme in front of a bearer token", async () => {
    const { issuer } = createFixture();
    const { refresh_token } = await logIn(issuer);
    const stale = { authorization: "Basic eDp5, Bearer stale" };
    assert.equal((await sendRequest(issuer, "POST", "/auth/logout", { refresh_token }, stale)).status, 204);
    assert.equal((await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token })).status, 400);
  });
});

describe("other behaviour of the HTTP handler", () => {
  test("the metadata list what exists (RFC 8414)", async () => {
    const { issuer } = createFixture();
    const response = await sendRequest(issuer, "GET", "/.well-known/oauth-authorization-server");
    const metadata = (await response.json()) as Record<string, unknown>;
    assert.equal(metadata["issuer"], ISSUER_URL);
    assert.equal(metadata["jwks_uri"], `${ISSUER_URL}/.well-known/jwks.json`);
    assert.equal((await sendRequest(issuer, "HEAD", "/.well-known/jwks.json")).status, 200);
  });

  test("an issuer whose proxy strips its path is discovered from its URL alone (RFC 8414 §3.1)", async (t) => {
    const url = "https://example.com/id";
    const { issuer, clock } = createFixture({ url });
    const proxied = async (asked: string | URL, init?: RequestInit) => {
      const { origin, pathname } = new URL(asked);
      return await issuer.fetch(new Request(origin + pathname.replace(/^\/id\//, "/"), init));
    };
    const guard = createGuard({ issuer: url, audience: null, keys: discovered({ fetch: proxied }), clock });
    t.after(async () => await guard.close());
    const { access_token } = await logIn(issuer);
    assert.equal((await guard.validate(access_token)).status, "valid");
  });

  test("CORS allows exact origins only", async () => {
    const { issuer } = createFixture({ corsOrigins: ["https://app.example.com"] });
    const preflight = async (origin: string) =>
      (
        await sendRequest(issuer, "OPTIONS", "/auth/refresh", undefined, {
          Origin: origin,
          "Access-Control-Request-Method": "POST",
        })
      ).headers.get("Access-Control-Allow-Origin");
    assert.equal(await preflight("https://app.example.com"), "https://app.example.com");
    for (const origin of ["https://app.example.com.evil.test", "http://app.example.com", "null"]) {
      assert.equal(await preflight(origin), null);
    }
    const body = { username: "ann", password: "wrong" };
    const headers = { Origin: "https://app.example.com" };
    const refused = await sendRequest(issuer, "POST", "/auth/login", body, headers);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get("Access-Control-Allow-Origin"), "https://app.example.com");
    assert.equal(refused.headers.get("Vary"), "Origin");
    for (const status of [400, 401, 503]) {
      if (status === 503) await issuer.close();
      const answer = await sendRequest(issuer, "GET", "/auth/sessions", undefined, {
        ...headers,
        ...(status !== 401 && { Authorization: "Bearer" }),
      });
      assert.equal(answer.status, status);
      assert.equal(answer.headers.get("Access-Control-Allow-Origin"), "https://app.example.com");
    }
  });

  test("an unexpected error is 500 and an event, and its message does not leak", async () => {
    const clock = createFixture().clock;
    const { issuer } = createFixture({ clock });
    const tokens = await logIn(issuer);
    clock.now = () => {
      throw new TypeError("a secret detail");
    };
    const seen: IssuerEvent[] = [];
    const listen = (event: unknown) => seen.push(event as IssuerEvent);
    issuerEvents.subscribe(listen);
    const response = await sendRequest(issuer, "GET", "/auth/sessions", undefined, bearerHeader(tokens));
    issuerEvents.unsubscribe(listen);
    assert.equal(response.status, 500);
    const text = await response.text();
    assert.match(text, /server_error/);
    assert.doesNotMatch(text + JSON.stringify(seen), /secret detail/);
    assert.equal(seen.at(-1)?.event, "unexpected_error");
  });

  test("a request whose caller has gone does not reject", async () => {
    const { issuer } = createFixture();
    for (const reason of [undefined, "gone"]) {
      const request = new Request(`${ISSUER_URL}/auth/login`, {
        method: "POST",
        headers: json,
        body: JSON.stringify({ username: "ann", password: "password of ann" }),
      });
      const signal = AbortSignal.abort(reason);
      assert.equal((await issuer.fetch(request, { signal })).status, 503);
    }
  });
});
