import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import type { Issuer, IssuerOptions } from "../../../src/issuer/types.ts";
import {
  bearerHeader,
  createFixture,
  ISSUER_URL,
  logIn,
  sendRequest,
  settleOnClock,
  type Fixture,
} from "../fixture.ts";
import { failStore } from "../stores.ts";

const PAGE = "https://app.example.com";
const ACCESS = "__Host-hf_at";
const REFRESH = "__Secure-hf_rt";
const SESSION = "__Host-hf_sid";
/** What a page of the listed origin sends. */
const page = { Origin: PAGE, "X-Holdfast": "1", "Sec-Fetch-Site": "same-site" };

type Headers = Readonly<Record<string, string>>;
type Jar = Map<string, string>;

function setUp(options: Partial<IssuerOptions> = {}): Fixture {
  return createFixture({ cookies: { origins: [PAGE] }, ...options });
}

/** The `Cookie` header of a jar. */
const cookieHeader = (jar: Jar) => ({
  Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
});

/** Keeps the cookies of a response as a browser does. */
function keep(jar: Jar, response: Response): void {
  for (const line of response.headers.getSetCookie()) {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (/; Max-Age=0(?:;|$)/.test(line)) jar.delete(name);
    else jar.set(name, value);
  }
}

/** Sends a request as the page does, and keeps the cookies of the response. */
async function call(
  issuer: Issuer,
  jar: Jar,
  method: string,
  path: string,
  body?: unknown,
  more: Headers = {},
) {
  const headers = { ...page, ...cookieHeader(jar), ...more };
  const response = await sendRequest(issuer, method, path, body, headers);
  keep(jar, response);
  return response;
}

async function logInByCookie(issuer: Issuer, username = "ann"): Promise<Jar> {
  const jar: Jar = new Map();
  const credentials = { username, password: `password of ${username}` };
  const response = await call(issuer, jar, "POST", "/auth/login", credentials);
  assert.equal(response.status, 200);
  assert.deepEqual([...jar.keys()], [ACCESS, REFRESH, SESSION]);
  return jar;
}

const isLive = async (issuer: Issuer, jar: Jar) =>
  (await sendRequest(issuer, "GET", "/auth/sessions", undefined, cookieHeader(jar))).status === 200;

function recordTooLarge(t: TestContext): IssuerEvent[] {
  const events: IssuerEvent[] = [];
  const keepEvent = (message: unknown) => {
    const event = message as IssuerEvent;
    if (event.event === "token_too_large") events.push(event);
  };
  issuerEvents.subscribe(keepEvent);
  t.after(() => issuerEvents.unsubscribe(keepEvent));
  return events;
}

const setsNoCookie = (response: Response) => assert.deepEqual(response.headers.getSetCookie(), []);
const expiresBoth = (response: Response) =>
  assert.deepEqual(
    response.headers.getSetCookie().map((line) => /^([^=]+)=; Path=(\S+); Max-Age=0; /.exec(line)?.slice(1)),
    [
      [ACCESS, "/"],
      [REFRESH, "/auth"],
      [SESSION, "/"],
    ],
  );

describe("cookie mode", () => {
  test("login sets both cookies with their attributes, and no token is in the body", async () => {
    const { issuer } = setUp();
    const credentials = { username: "ann", password: "password of ann" };
    const response = await sendRequest(issuer, "POST", "/auth/login", credentials, page);
    const body = (await response.json()) as Record<string, unknown>;
    const [access = "", refresh = "", session = ""] = response.headers.getSetCookie();
    assert.match(access, /^__Host-hf_at=ey[^;]+; Path=\/; Max-Age=600; HttpOnly; Secure; SameSite=Strict$/);
    assert.match(
      refresh,
      /^__Secure-hf_rt=hfr_[^;]+; Path=\/auth; Max-Age=2592000; HttpOnly; Secure; SameSite=Strict$/,
    );
    assert.match(
      session,
      /^__Host-hf_sid=[0-9a-f]{32}; Path=\/; Max-Age=2592000; HttpOnly; Secure; SameSite=Strict$/,
    );
    assert.deepEqual(Object.keys(body).toSorted(), [
      "expires_in",
      "refresh_token_expires_in",
      "scope",
      "session_id",
      "subject",
    ]);
    assert.equal(body["subject"], "ann");
    assert.equal(response.headers.get("Access-Control-Allow-Origin"), PAGE);
    assert.equal(response.headers.get("Access-Control-Allow-Credentials"), "true");
    assert.equal(response.headers.get("Cache-Control"), "no-store");
  });

  test("SameSite can be lax, and the path of the issuer's URL is a part of the cookie's path", async () => {
    const { issuer } = setUp({
      url: "https://example.com/id/",
      cookies: { origins: [PAGE], sameSite: "lax" },
    });
    const credentials = { username: "ann", password: "password of ann" };
    const response = await sendRequest(issuer, "POST", "/auth/login", credentials, page);
    const [access, refresh] = response.headers.getSetCookie();
    assert.match(access ?? "", /; Path=\/; .*SameSite=Lax$/);
    assert.match(refresh ?? "", /; Path=\/id\/auth; .*SameSite=Lax$/);
  });

  test("refresh answers 204 with new cookies and Expires-In, with and without a body", async () => {
    const { issuer, clock } = setUp();
    const jar = await logInByCookie(issuer);
    for (const body of [undefined, {}, "", { scope: "ignored" }]) {
      const before = jar.get(REFRESH);
      await clock.advance(1000);
      const response = await call(issuer, jar, "POST", "/auth/refresh", body);
      assert.equal(response.status, 204);
      assert.equal(response.headers.get("Expires-In"), "600");
      assert.equal(await response.text(), "");
      assert.equal(response.headers.getSetCookie().length, 3);
      assert.notEqual(jar.get(REFRESH), before);
    }
    jar.delete(ACCESS); // The browser drops it at its expiry.
    assert.equal((await call(issuer, jar, "POST", "/auth/refresh")).status, 204);
  });

  test("a refresh cookie that a sibling host has planted does not bring the page into its session", async () => {
    const { issuer } = setUp();
    const stranger = await logInByCookie(issuer, "mallory");
    const planted: Jar = new Map([[REFRESH, stranger.get(REFRESH) ?? ""]]);
    const refuse = async (jar: Jar) => {
      const response = await call(issuer, jar, "POST", "/auth/refresh");
      assert.equal(response.status, 400);
      assert.equal(((await response.json()) as { error: string }).error, "invalid_grant");
      setsNoCookie(response);
    };
    await refuse(planted);
    const user = await logInByCookie(issuer);
    await refuse(new Map([...user, ...planted]));
    // A client that is no browser keeps no cookies of other hosts.
    const { "Sec-Fetch-Site": _, ...client } = page;
    const headers = { ...client, ...cookieHeader(planted) };
    assert.equal((await sendRequest(issuer, "POST", "/auth/refresh", undefined, headers)).status, 204);
    assert.equal((await call(issuer, user, "POST", "/auth/refresh")).status, 204);
  });

  test("sessions, one session and the password work with cookies", async () => {
    const { issuer } = setUp();
    const jar = await logInByCookie(issuer);
    const other = await logIn(issuer);
    const listed = await call(issuer, jar, "GET", "/auth/sessions");
    assert.equal(((await listed.json()) as { sessions: unknown[] }).sessions.length, 2);
    const ended = await call(issuer, jar, "DELETE", `/auth/sessions/${other.session_id}`);
    assert.equal(ended.status, 204);
    setsNoCookie(ended);
    assert.equal((await issuer.refresh(other.refresh_token)).status, "invalid_grant");
    const own = (
      (await (await call(issuer, jar, "GET", "/auth/sessions")).json()) as {
        sessions: { session_id: string }[];
      }
    ).sessions[0]?.session_id;
    expiresBoth(await call(issuer, jar, "DELETE", `/auth/sessions/${own}`));
  });

  test("a new password sets the cookies of the new session", async () => {
    const { issuer, clock } = setUp({ authenticate: undefined } as object);
    await issuer.users.add({ username: "ann", password: "password of ann", scopes: [] });
    const jar = await logInByCookie(issuer);
    const before = jar.get(REFRESH);
    const passwords = { current_password: "password of ann", new_password: "another password" };
    const response = await settleOnClock(clock, call(issuer, jar, "POST", "/auth/password", passwords));
    assert.equal(response.status, 200);
    assert.doesNotMatch(await response.text(), /hfr_|eyJ/);
    assert.notEqual(jar.get(REFRESH), before);
    assert.equal(await isLive(issuer, jar), true);
  });

  for (const path of ["/auth/logout", "/auth/logout-all"]) {
    test(`${path} ends the session, removes the cookies and can be repeated`, async () => {
      for (const without of [undefined, ACCESS, REFRESH]) {
        const { issuer } = setUp();
        const jar = await logInByCookie(issuer);
        const cookies = new Map(jar);
        if (without !== undefined) cookies.delete(without);
        const sent = new Map(cookies);
        for (let repeat = 0; repeat < 2; repeat++) {
          const response = await call(issuer, new Map(sent), "POST", path);
          assert.equal(response.status, 204);
          expiresBoth(response);
        }
        assert.equal(await isLive(issuer, jar), false);
      }
    });
  }

  test("logout without usable cookies is 204, and logout-all cannot pretend to have ended sessions", async () => {
    const { issuer } = setUp();
    for (const jar of [new Map(), new Map([[ACCESS, "stale"]]), new Map([[REFRESH, "stale"]])]) {
      const response = await call(issuer, new Map(jar), "POST", "/auth/logout");
      assert.equal(response.status, 204);
      expiresBoth(response);
      const all = await call(issuer, new Map(jar), "POST", "/auth/logout-all");
      assert.equal(all.status >= 400, true);
      setsNoCookie(all);
    }
  });

  test("law 12: a logout that is not durable is 503 and leaves the cookies", async () => {
    const fixture = setUp();
    const jar = await logInByCookie(fixture.issuer);
    const failing = setUp({ clock: fixture.clock, store: failStore(fixture.store, () => "before") });
    const response = await call(failing.issuer, jar, "POST", "/auth/logout");
    assert.equal(response.status, 503);
    setsNoCookie(response);
  });

  test("a stale Authorization header does not prevent logout or refresh by cookie", async () => {
    const { issuer } = setUp();
    const jar = await logInByCookie(issuer);
    const stale = { Authorization: "Bearer stale" };
    assert.equal((await call(issuer, jar, "POST", "/auth/refresh", undefined, stale)).status, 204);
    assert.equal((await call(issuer, jar, "POST", "/auth/logout", undefined, stale)).status, 204);
  });

  test("a page can bring its refresh token of token mode into cookies", async () => {
    const { issuer } = setUp();
    const { refresh_token } = await logIn(issuer);
    const jar: Jar = new Map();
    assert.equal((await call(issuer, jar, "POST", "/auth/refresh", { refresh_token })).status, 204);
    assert.equal(await isLive(issuer, jar), true);
    const contradicting = await call(issuer, jar, "POST", "/auth/refresh", { refresh_token });
    assert.equal(contradicting.status, 400);
  });
});

describe("cookie mode refuses what a page of another origin can send", () => {
  const attempts: [what: string, headers: Headers][] = [
    ["without X-Holdfast", { Origin: PAGE }],
    ["without an origin", { "X-Holdfast": "1" }],
    ["from an unlisted origin", { ...page, Origin: "https://evil.example" }],
    ["from a sibling subdomain", { ...page, Origin: "https://other.example.com" }],
    ["from another port", { ...page, Origin: `${PAGE}:8443` }],
    ["from a sandboxed page", { ...page, Origin: "null" }],
    ["from two origins", { ...page, Origin: `${PAGE}, ${PAGE}` }],
    ["from another site", { ...page, "Sec-Fetch-Site": "cross-site" }],
    ["from several sites", { ...page, "Sec-Fetch-Site": "same-origin, cross-site" }],
    ["with another value of X-Holdfast", { ...page, "X-Holdfast": "true" }],
    ["with X-Holdfast twice", { ...page, "X-Holdfast": "1, 1" }],
  ];
  for (const [what, headers] of attempts) {
    test(`a request ${what}`, async () => {
      const { issuer } = setUp();
      const jar = await logInByCookie(issuer);
      const cookies = cookieHeader(jar);
      for (const path of [
        "/auth/refresh",
        "/auth/refresh/ack",
        "/auth/logout",
        "/auth/logout-all",
        "/auth/password",
      ]) {
        const response = await sendRequest(issuer, "POST", path, undefined, { ...headers, ...cookies });
        assert.ok(response.status >= 400 && response.status < 500, `${path}: ${response.status}`);
        setsNoCookie(response);
      }
      assert.equal(await isLive(issuer, jar), true);
      const credentials = { username: "mallory", password: "password of mallory" };
      const login = await sendRequest(issuer, "POST", "/auth/login", credentials, { ...headers, ...cookies });
      setsNoCookie(login);
    });
  }

  test("a form and a text body with cookies are 403 without X-Holdfast", async () => {
    const { issuer } = setUp();
    const jar = await logInByCookie(issuer);
    for (const type of [
      "application/x-www-form-urlencoded",
      "text/plain",
      "multipart/form-data; boundary=x",
    ]) {
      const headers = { Origin: PAGE, "Content-Type": type, ...cookieHeader(jar) };
      const response = await sendRequest(issuer, "POST", "/auth/logout", "x=1", headers);
      assert.equal(response.status, 403);
      assert.equal(((await response.json()) as { error: string }).error, "origin_not_allowed");
    }
    assert.equal(await isLive(issuer, jar), true);
  });

  test("a safe request needs no header, and is refused from another site or an unlisted origin", async () => {
    const { issuer } = setUp();
    const jar = await logInByCookie(issuer);
    const get = async (headers: Headers) =>
      (await sendRequest(issuer, "GET", "/auth/sessions", undefined, { ...cookieHeader(jar), ...headers }))
        .status;
    assert.equal(await get({}), 200);
    assert.equal(await get({ "Sec-Fetch-Site": "same-origin" }), 200);
    assert.equal(await get({ Origin: PAGE }), 200);
    assert.equal(await get({ Origin: "https://evil.example" }), 403);
    assert.equal(await get({ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors" }), 403);
    const link = {
      "Sec-Fetch-Site": "cross-site",
      "Sec-Fetch-Mode": "navigate",
      "Sec-Fetch-Dest": "document",
    };
    assert.equal(await get(link), 200);
    assert.equal(await get({ ...link, "Sec-Fetch-Dest": "iframe" }), 403);
  });
});

describe("cookies of a name", () => {
  test("two are 400, in any order and on every endpoint", async () => {
    const { issuer } = setUp();
    const jar = await logInByCookie(issuer);
    const { Cookie } = cookieHeader(jar);
    for (const twice of [
      `${REFRESH}=planted; ${Cookie}`,
      `${Cookie};${REFRESH}=planted`,
      `${Cookie}; ${Cookie}`,
    ]) {
      for (const path of ["/auth/refresh", "/auth/logout", "/auth/logout-all"]) {
        const response = await sendRequest(issuer, "POST", path, undefined, { ...page, Cookie: twice });
        assert.equal(response.status, 400, path);
        setsNoCookie(response);
      }
    }
    const access = { Cookie: `${Cookie}; ${ACCESS}=x` };
    assert.equal((await sendRequest(issuer, "GET", "/auth/sessions", undefined, access)).status, 400);
    assert.equal(await isLive(issuer, jar), true);
  });

  test("a malformed value and an endless header are 400, and similar names are other cookies", async () => {
    const { issuer } = setUp();
    const send = async (Cookie: string) =>
      await sendRequest(issuer, "POST", "/auth/refresh", undefined, { ...page, Cookie });
    for (const cookie of [
      `${REFRESH}=`,
      `${REFRESH}="x"`,
      `${REFRESH}=a b`,
      `${REFRESH}=a,b`,
      "x=".padEnd(40_000, "y"),
    ]) {
      const response = await send(cookie);
      assert.equal(response.status, 400, cookie.slice(0, 40));
      assert.equal(((await response.json()) as { error: string }).error, "invalid_request");
    }
    for (const cookie of [
      `x${REFRESH}=y`,
      `${REFRESH}x=y`,
      REFRESH,
      `x=${REFRESH}=y`,
      REFRESH.toLowerCase() + "=y",
    ]) {
      const response = await send(cookie);
      assert.equal(((await response.json()) as { error: string }).error, "invalid_grant", cookie);
    }
  });
});

describe("a refused refresh and the cookies", () => {
  test("a failure, a conflict, an unknown session and a malformed token leave them", async () => {
    const { issuer, clock, store } = setUp();
    const jar = await logInByCookie(issuer);
    const failing = setUp({ clock, store: failStore(store, () => "before") });
    const unavailable = await call(failing.issuer, new Map(jar), "POST", "/auth/refresh");
    assert.equal(unavailable.status, 503);
    setsNoCookie(unavailable);
    const stranger = setUp({ clock });
    const foreign = await call(stranger.issuer, new Map(jar), "POST", "/auth/refresh");
    assert.ok(foreign.status >= 400);
    setsNoCookie(foreign);
    for (const value of ["hfr_x", "stale"]) {
      const refused = await call(issuer, new Map([[REFRESH, value]]), "POST", "/auth/refresh");
      assert.equal(refused.status, 400);
      setsNoCookie(refused);
    }
    const none = await call(issuer, new Map(), "POST", "/auth/refresh");
    assert.deepEqual([none.status, ((await none.json()) as { error: string }).error], [400, "invalid_grant"]);
    setsNoCookie(none);
  });

  test("the loser of a race between two tabs does not remove the winner's cookies", async () => {
    const { issuer, clock } = setUp();
    const jar = await logInByCookie(issuer);
    const stale = new Map(jar);
    await call(issuer, jar, "POST", "/auth/refresh");
    await call(issuer, jar, "POST", "/auth/refresh");
    await clock.advance(1000);
    const late = await call(issuer, stale, "POST", "/auth/refresh");
    assert.equal(late.status, 409);
    setsNoCookie(late);
    assert.equal((await call(issuer, jar, "POST", "/auth/refresh")).status, 204);
  });

  test("a proven end removes them: a revoked session and a reused token", async () => {
    const { issuer, clock } = setUp();
    const revoked = await logInByCookie(issuer);
    await issuer.revoke({ kind: "session", id: sessionIdOf(revoked) });
    const gone = await call(issuer, revoked, "POST", "/auth/refresh");
    assert.equal(gone.status, 400);
    expiresBoth(gone);
    const jar = await logInByCookie(issuer);
    const stolen = new Map(jar);
    for (let turn = 0; turn < 2; turn++) await call(issuer, jar, "POST", "/auth/refresh");
    await clock.advance(31_000);
    const reused = await call(issuer, stolen, "POST", "/auth/refresh");
    assert.equal(reused.status, 400);
    expiresBoth(reused);
  });

  test("a session that the user ended a moment ago leaves them, because a login may be under way", async () => {
    const { issuer, clock } = setUp();
    const jar = await logInByCookie(issuer);
    await issuer.endSession(sessionIdOf(jar), "logout");
    const inFlight = await call(issuer, new Map(jar), "POST", "/auth/refresh");
    assert.equal(inFlight.status, 400);
    setsNoCookie(inFlight);
    await clock.advance(61_000);
    expiresBoth(await call(issuer, new Map(jar), "POST", "/auth/refresh"));
  });
});

const sessionIdOf = (jar: Jar) =>
  (JSON.parse(Buffer.from(jar.get(ACCESS)?.split(".")[1] ?? "", "base64url").toString()) as { sid: string })
    .sid;

describe("token mode beside cookie mode", () => {
  test("a request without X-Holdfast gets tokens in the body and no cookies", async () => {
    const { issuer } = setUp();
    const credentials = { username: "ann", password: "password of ann" };
    const response = await sendRequest(issuer, "POST", "/auth/login", credentials, { Origin: PAGE });
    setsNoCookie(response);
    const { refresh_token } = (await response.json()) as { refresh_token: string };
    const jar = await logInByCookie(issuer, "bob");
    const headers = { Origin: PAGE, ...cookieHeader(jar) };
    const refreshed = await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token }, headers);
    assert.equal(refreshed.status, 200);
    setsNoCookie(refreshed);
    const out = await sendRequest(issuer, "POST", "/auth/logout", { refresh_token }, headers);
    assert.equal(out.status, 204);
    setsNoCookie(out);
    assert.equal(await isLive(issuer, jar), true);
  });

  test("Authorization decides a request without X-Holdfast, whatever cookies come along", async () => {
    const { issuer } = setUp();
    const jar = await logInByCookie(issuer, "bob");
    const headers = { ...bearerHeader(await logIn(issuer)), ...cookieHeader(jar) };
    const response = await sendRequest(issuer, "GET", "/auth/sessions", undefined, headers);
    assert.equal(((await response.json()) as { sessions: unknown[] }).sessions.length, 1);
    assert.equal((await sendRequest(issuer, "POST", "/auth/logout", undefined, headers)).status, 204);
    assert.equal(await isLive(issuer, jar), true);
  });

  test("with X-Holdfast, another access token in Authorization is 400", async () => {
    const { issuer } = setUp();
    const jar = await logInByCookie(issuer);
    const other = bearerHeader(await logIn(issuer, "bob"));
    assert.equal((await call(issuer, jar, "GET", "/auth/sessions", undefined, other)).status, 400);
  });

  test("an issuer without cookies refuses X-Holdfast, so that no token reaches a page that wants none", async () => {
    const { issuer } = createFixture({ corsOrigins: [PAGE] });
    const credentials = { username: "ann", password: "password of ann" };
    const response = await sendRequest(issuer, "POST", "/auth/login", credentials, page);
    assert.equal(response.status, 400);
    assert.match(await response.text(), /keeps no sessions in cookies/);
    assert.equal(response.headers.get("Access-Control-Allow-Credentials"), null);
  });

  test("only the origins of cookies get CORS with credentials", async () => {
    const { issuer } = setUp({ corsOrigins: ["https://tokens.example.com"] });
    for (const [origin, credentials] of [
      [PAGE, "true"],
      ["https://tokens.example.com", null],
    ] as const) {
      const response = await sendRequest(issuer, "GET", "/auth/sessions", undefined, { Origin: origin });
      assert.equal(response.headers.get("Access-Control-Allow-Origin"), origin);
      assert.equal(response.headers.get("Access-Control-Allow-Credentials"), credentials);
    }
  });

  test("a login whose token is too large for a cookie is 503 with an event, and begins no session", async (t) => {
    const events = recordTooLarge(t);
    const authenticate = () => ({ subject: "ann", scopes: [], claims: { text: "x".repeat(3500) } });
    const { issuer } = setUp({ authenticate });
    const response = await sendRequest(issuer, "POST", "/auth/login", {}, page);
    assert.deepEqual([response.status, response.headers.get("Retry-After")], [503, "60"]);
    setsNoCookie(response);
    assert.deepEqual((await issuer.sessions.list("ann")).sessions, []);
    assert.match(events[0]?.message ?? "", /^an access token of \d+ bytes is too large for a cookie/);
    assert.equal((await sendRequest(issuer, "POST", "/auth/login", {})).status, 200, "token mode");
  });

  test("law 8: a refresh whose token is too large for a cookie spends nothing, and works again with fewer rights", async (t) => {
    const events = recordTooLarge(t);
    let text = "";
    const user = () => ({ subject: "ann", scopes: [], claims: { text } });
    const { issuer, store } = setUp({ authenticate: user, renew: user });
    const jar: Jar = new Map();
    assert.equal((await call(issuer, jar, "POST", "/auth/login", {})).status, 200);
    const generation = async () => {
      const [session] = (await issuer.sessions.list("ann")).sessions;
      return (await store.sessions.get(session?.id ?? ""))?.generation;
    };
    text = "x".repeat(3500);
    for (let tries = 0; tries < 3; tries++) {
      const refused = await call(issuer, jar, "POST", "/auth/refresh");
      assert.equal(refused.status, 503);
      setsNoCookie(refused);
    }
    assert.deepEqual([await generation(), events.length], [1, 3]);
    text = "";
    assert.equal((await call(issuer, jar, "POST", "/auth/refresh")).status, 204);
    assert.equal(await generation(), 2);
  });

  test("a session of token mode whose token is too large cannot be brought into cookies, and continues", async () => {
    const authenticate = () => ({ subject: "ann", scopes: [], claims: { text: "x".repeat(3500) } });
    const { issuer } = setUp({ authenticate });
    const { refresh_token } = (await (await sendRequest(issuer, "POST", "/auth/login", {})).json()) as {
      refresh_token: string;
    };
    const body = { refresh_token };
    assert.equal((await sendRequest(issuer, "POST", "/auth/refresh", body, page)).status, 503);
    assert.equal((await issuer.sessions.list("ann")).sessions[0]?.id !== undefined, true);
    assert.equal((await sendRequest(issuer, "POST", "/auth/refresh", body)).status, 200);
  });

  test("a new password is not set when the page could not keep the token of the new session", async () => {
    const { issuer, clock } = setUp({ authenticate: undefined } as object);
    await settleOnClock(clock, issuer.users.add({ username: "ann", password: "password of ann" }));
    const jar = await settleOnClock(clock, logInByCookie(issuer));
    const scopes = Array.from({ length: 64 }, (_, n) => `scope:${String(n).padStart(45, "x")}`);
    await issuer.users.setScopes("ann", scopes);
    const passwords = { current_password: "password of ann", new_password: "another password" };
    const refused = await settleOnClock(clock, call(issuer, jar, "POST", "/auth/password", passwords));
    assert.equal(refused.status, 503);
    assert.equal(await isLive(issuer, jar), true);
    const old = { username: "ann", password: "password of ann" };
    const again = await settleOnClock(clock, sendRequest(issuer, "POST", "/auth/login", old));
    assert.equal(again.status, 200);
  });

  test("the options are checked by name", () => {
    const wrong: [options: unknown, message: RegExp][] = [
      [{ origins: [] }, /^createIssuer: cookies: origins must be an array of origins/],
      [{ origins: ["https://*.example.com"] }, /origins must be .* without wildcards/],
      [{ origins: PAGE }, /origins must be/],
      [{ origins: [PAGE], sameSite: "none" }, /sameSite must be "strict" or "lax"/],
      [{ origins: [PAGE], samesite: "lax" }, /has no option "samesite"/],
      [true, /cookies/],
    ];
    for (const [cookies, message] of wrong) {
      assert.throws(() => setUp({ cookies } as never), { code: "invalid_option", message });
    }
    assert.throws(() => setUp({ url: "http://id.example.com" }), {
      message: /cookies needs a url with https/,
    });
    for (const url of ["http://localhost:4180", "http://127.0.0.1:4180", ISSUER_URL]) setUp({ url });
  });
});

test("law 6: a body that nests too deeply to be written again is 400, and the session goes on", async (t) => {
  const { issuer } = setUp();
  t.after(async () => await issuer.close());
  const jar = await logInByCookie(issuer);
  const depth = 20_000;
  const resource = `{"resource":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const headers = { ...page, ...cookieHeader(jar), "Content-Type": "application/json" };
  const request = new Request(`${ISSUER_URL}/auth/refresh`, { method: "POST", headers, body: resource });
  const response = await issuer.fetch(request);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /nest deeper than 32/);
  assert.equal((await call(issuer, jar, "POST", "/auth/refresh")).status, 204);
});
