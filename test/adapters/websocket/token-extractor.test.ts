import assert from "node:assert/strict";
import { inspect } from "node:util";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { TokenExtractor } from "../../../src/adapters/websocket/token-extractor.ts";
import type { HandshakeRequest } from "../../../src/adapters/websocket/strip-tokens.ts";
import { tokenFromOptionTable, type TokenFrom } from "../../../src/adapters/websocket/token-from.ts";

type Lines = readonly (readonly [name: string, value: string])[];

/** Creates a request from header lines, as Node's parser does. */
function handshake(lines: Lines, url = "/chat"): HandshakeRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    // Node joins the lines of these headers. It keeps the first line of the other headers.
    const joint = { cookie: "; ", "sec-websocket-protocol": ", " }[key];
    if (headers[key] === undefined) headers[key] = value;
    else if (joint !== undefined) headers[key] += joint + value;
  }
  return { headers, rawHeaders: lines.flat(), url };
}

function read(tokenFrom: TokenFrom | undefined, lines: Lines, url?: string) {
  const carried = new TokenExtractor(tokenFrom).extract(handshake(lines, url));
  return carried.status === "token" ? carried.token : carried.status;
}

const encoded = (token: string) => Buffer.from(token, "latin1").toString("base64url");
const protocol = (...entries: string[]) => ["Sec-WebSocket-Protocol", entries.join(", ")] as const;
const carrying = (token: string) => `base64url.bearer.authorization.k8s.io.${encoded(token)}`;
const bearer = (token: string) => ["Authorization", `Bearer ${token}`] as const;

const cookie = { name: "__Host-session", origins: ["https://app.example.com", "http://localhost:8080"] };
const origin = (value: string) => ["Origin", value] as const;
const session = (value: string) => ["Cookie", `theme=dark; __Host-session=${value}; lang=en`] as const;

test("reads a token from the Authorization header, or from a subprotocol next to another one", () => {
  assert.equal(read(undefined, []), "none");
  assert.equal(read(undefined, [bearer("a.b.c")]), "a.b.c");
  assert.equal(read(undefined, [protocol("chat", carrying("a.b.c"))]), "a.b.c");
  assert.equal(read(undefined, [protocol(carrying("a.b.c")), protocol("chat")]), "a.b.c");
  assert.equal(read(undefined, [protocol("chat", "v2")]), "none");
});

test("a subprotocol carries any printable token, and the library does not see it in its choices", () => {
  const token = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength: 1,
  });
  fc.assert(
    fc.property(token, fc.nat({ max: 2 }), (written, at) => {
      const request = handshake([
        ["Host", "api"],
        protocol(...["chat", "v2"].toSpliced(at, 0, carrying(written))),
      ]);
      const carriers = new TokenExtractor();
      assert.deepEqual(carriers.extract(request), { status: "token", token: written });
      assert.equal(request.headers["sec-websocket-protocol"], "chat, v2");
      assert.deepEqual(request.rawHeaders, ["Host", "api", "Sec-WebSocket-Protocol", "chat, v2"]);
      assert.deepEqual(
        carriers.extract(request),
        { status: "token", token: written },
        "the token is returned again",
      );
    }),
  );
});

test("a badly encoded token in a subprotocol is malformed", () => {
  const prefix = "base64url.bearer.authorization.k8s.io.";
  const bad = [
    [carrying("a"), carrying("a")], // Two.
    [carrying("a"), carrying("b")],
    [prefix], // Empty.
    [`${prefix}YQ==`], // Padded.
    [`${prefix}YR`], // Bits left over.
    [`${prefix}Y`],
    [`${prefix}Y!`],
    [`${prefix}a+/b`], // Base64, not base64url.
    [carrying("\u00e9")], // Beyond ASCII.
    [carrying("a b")],
    [carrying("a\n")],
  ];
  for (const entries of bad) {
    const request = handshake([protocol("chat", ...entries)]);
    assert.deepEqual(new TokenExtractor().extract(request), { status: "malformed" }, entries.join());
    assert.equal(request.headers["sec-websocket-protocol"], "chat");
  }
});

test("a token in a subprotocol requires a second subprotocol that the server can select", () => {
  const request = handshake([protocol(carrying("a.b.c"))]);
  assert.deepEqual(new TokenExtractor().extract(request), { status: "malformed" });
  assert.deepEqual([request.headers, request.rawHeaders], [{}, []]);
});

test("two explicit ways are malformed, and a cookie next to an explicit way is not read", () => {
  const from = { cookie, query: { name: "ticket" } };
  const ways = [bearer("a"), protocol("chat", carrying("a"))];
  assert.equal(read(from, ways), "malformed");
  for (const way of ways) {
    assert.equal(read(from, [way], "/?ticket=a"), "malformed");
    assert.equal(read(from, [way, session("b"), origin("https://evil.example")]), "a");
  }
  assert.equal(read(from, [session("b")], "/?ticket=a"), "a");
  assert.equal(read(from, [bearer("a"), bearer("a")]), "malformed");
});

test("a disabled way is not read", () => {
  assert.equal(read({ authorization: false }, [bearer("a")]), "none");
  const request = handshake([protocol("chat", carrying("a"))]);
  assert.deepEqual(new TokenExtractor({ subprotocol: false }).extract(request), { status: "malformed" });
  assert.equal(request.headers["sec-websocket-protocol"], "chat", "the token is not echoed");
  assert.equal(read({}, [session("a"), origin("https://app.example.com")]), "none");
});

test("fault 53: a cookie is accepted only with exactly one listed Origin", () => {
  for (const good of cookie.origins)
    assert.equal(read({ cookie }, [session("a.b.c"), origin(good)]), "a.b.c");
  const foreign = [
    "null",
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://APP.example.com",
    "https://app.example.com/",
    "",
  ];
  for (const value of foreign)
    assert.equal(read({ cookie }, [session("a"), origin(value)]), "foreign", value);
  assert.equal(read({ cookie }, [session("a")]), "foreign", "missing");
  const two = [origin("https://app.example.com"), origin("https://evil.example")];
  assert.equal(read({ cookie }, [session("a"), ...two]), "foreign");
  assert.equal(
    read({ cookie }, [origin("https://evil.example")]),
    "none",
    "a foreign page without the cookie presents no token",
  );
});

test("fault 53: two cookies with the name are malformed, and other cookies are ignored", () => {
  const own = origin("https://app.example.com");
  for (const lines of [
    [session("a"), session("a")],
    [["Cookie", "__Host-session=a; __Host-session=b"]],
  ] as const) {
    assert.equal(read({ cookie }, [...lines, own]), "malformed");
  }
  assert.equal(
    read({ cookie }, [["Cookie", "x__Host-session=a; __host-session=b; __Host-session"], own]),
    "none",
  );
  for (const value of ["", "a b", '"a"\u0000']) {
    assert.equal(read({ cookie }, [["Cookie", `__Host-session=${value}`], own]), "malformed", value);
  }
});

test("a token in the URL is refused unless its parameter is enabled, and it is always stripped", () => {
  const urls: [url: string, left: string, off: string, on: string][] = [
    ["/chat", "/chat", "none", "none"],
    ["/chat?room=1", "/chat?room=1", "none", "none"],
    ["/chat?access_token=a", "/chat", "malformed", "malformed"],
    ["/chat?a=1&access_token=a&b=2", "/chat?a=1&b=2", "malformed", "malformed"],
    ["/chat?%61ccess%5Ftoken=a", "/chat", "malformed", "malformed"],
    ["/chat?access_token=", "/chat", "malformed", "malformed"],
    ["/chat?access_token", "/chat", "malformed", "malformed"],
    ["http://api.example/chat?access_token=a", "http://api.example/chat", "malformed", "malformed"],
  ];
  for (const [url, left, off, on] of urls) {
    for (const [tokenFrom, expected] of [
      [{}, off],
      [{ query: { name: "ticket" } }, on],
    ] as const) {
      const request = handshake([], url);
      assert.equal(new TokenExtractor(tokenFrom).extract(request).status, expected, url);
      assert.equal(request.url, left);
    }
  }
  const enabled = { query: { name: "ticket" } };
  assert.equal(read(enabled, [], "/chat?ticket=a%2Eb&x=1"), "a.b");
  assert.equal(read({ query: { name: "access_token" } }, [], "/chat?access_token=a.b"), "a.b");
  assert.equal(read(enabled, [], "/chat?ticket=a&ticket=a"), "malformed");
  assert.equal(read(enabled, [], "/chat?ticket=a&access_token=a"), "malformed");
  assert.equal(read(enabled, [], "/chat?ticket=a%20b"), "malformed");
  assert.equal(read({}, [], "/chat?ticket=a"), "none");
});

test("law 5: a stripped token is not in the logged request", () => {
  const request = handshake([protocol("chat", carrying("secret-1"))], "/chat?access_token=secret-2");
  new TokenExtractor().stripTokens(request);
  const logged = inspect(request, { depth: 9 }) + JSON.stringify(request);
  for (const secret of ["secret-1", encoded("secret-1"), "secret-2"])
    assert.ok(!logged.includes(secret), logged);
});

test("a token that one extractor stripped is found by another extractor with other ways", () => {
  const request = handshake([protocol("chat", carrying("a"))], "/chat?ticket=b");
  new TokenExtractor().stripTokens(request);
  new TokenExtractor({ query: { name: "ticket" } }).stripTokens(request);
  assert.equal(request.url, "/chat");
  assert.deepEqual(
    new TokenExtractor({ query: { name: "ticket" } }).extract(request),
    { status: "malformed" },
    "both",
  );
});

test("reads the headers of an injected request without raw headers", () => {
  const headers = { authorization: "Bearer a.b", host: "api" };
  assert.deepEqual(new TokenExtractor().extract({ headers, url: "/" }), { status: "token", token: "a.b" });
  const offering = { "sec-websocket-protocol": `chat, ${carrying("a.b")}` };
  assert.deepEqual(new TokenExtractor().extract({ headers: offering, url: "/" }), {
    status: "token",
    token: "a.b",
  });
  assert.deepEqual(offering, { "sec-websocket-protocol": "chat" });
});

test("checks tokenFrom at creation", () => {
  const wrong: [tokenFrom: unknown, message: RegExp][] = [
    ["cookie", /^tokenFrom must be an object of options; got a string/],
    [{ header: true }, /^tokenFrom has no option "header"; it has authorization, /],
    [{ firstMessage: "yes" }, /^tokenFrom: firstMessage must be true, false or a function; got "yes"/],
    [{ authorization: false, subprotocol: false }, /^tokenFrom must allow at least one way to send a token/],
    [{ query: {} }, /^tokenFrom\.query: name must be a non-empty string; got undefined/],
    [{ query: true }, /^tokenFrom\.query must be an object of options; got true/],
    [{ cookie: { name: "a", origin: [] } }, /^tokenFrom\.cookie has no option "origin"/],
    [
      { cookie: { name: "a b", origins: ["https://a.example"] } },
      /^tokenFrom\.cookie: name must be the name of a cookie/,
    ],
    [{ cookie: { name: "a" } }, /^tokenFrom\.cookie: origins must be an array of origins .*; got undefined/],
    ...[
      "null",
      "*",
      "https://*.example.com",
      "https://a.example/",
      "a.example",
      "https://A.example",
      "https://a.example:443",
    ].map(
      (bad) =>
        [
          { cookie: { name: "a", origins: ["https://b.example", bad] } },
          /^tokenFrom\.cookie: origins must be/,
        ] as [unknown, RegExp],
    ),
    [{ cookie: { name: "a", origins: [] } }, /^tokenFrom\.cookie: origins must be/],
  ];
  for (const [tokenFrom, message] of wrong) {
    assert.throws(() => new TokenExtractor(tokenFrom as TokenFrom), { code: "invalid_option", message });
  }
});

test("reads tokenFrom once", () => {
  const origins = ["https://app.example.com"];
  const carriers = new TokenExtractor({ cookie: { name: "a", origins } });
  origins.push("https://evil.example");
  const carried = carriers.extract(handshake([["Cookie", "a=b"], origin("https://evil.example")]));
  assert.deepEqual(carried, { status: "foreign" });
});

test("docs/websockets/index.md lists each member of tokenFrom with its default", () => {
  const page = readFileSync(new URL("../../../docs/websockets/index.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)[^`]*` \| (on|off) \|/gm)].map(([, name, state]) => [
    name,
    state,
  ]);
  const members = Object.entries<{ default: unknown }>(tokenFromOptionTable).map(([name, reader]) => [
    name,
    reader.default === true ? "on" : "off",
  ]);
  assert.deepEqual(rows, members);
});
