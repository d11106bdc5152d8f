import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { mountIssuer } from "../../../src/adapters/node-http.ts";
import type { MountableIssuer } from "../../../src/adapters/node-http.ts";
import { getPlainAnswers } from "../../../src/core/plain-http.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { sendLines, type RawResponse } from "../../gateway/raw-client.ts";
import { BASIC, createFixture, logIn } from "../../issuer/fixture.ts";
import { waitUntil, within } from "../../support/deadline.ts";

async function serve(t: TestContext, issuer: MountableIssuer): Promise<number> {
  return await listenOn(t, createServer(mountIssuer(issuer)));
}

async function listenOn(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const origin = "https://app.example.com";
const options = { corsOrigins: [origin], cookies: { origins: [origin] } };

/** Two issuers with equal users and clocks. The second one is reached through the Fetch API only. */
async function createPair(t: TestContext) {
  const [plain, web] = [createFixture(options), createFixture(options)].map(({ issuer }) => issuer);
  assert.ok(plain && web);
  const wrapped = { ...web, fetch: web.fetch.bind(web) };
  assert.equal(getPlainAnswers(wrapped.fetch), undefined);
  const own = getPlainAnswers(Reflect.get(plain, "fetch") as object);
  assert.ok(own?.("POST", "/auth/login"));
  return [
    { port: await serve(t, plain), tokens: await logIn(plain) },
    { port: await serve(t, wrapped), tokens: await logIn(web) },
  ] as const;
}

type Tokens = Awaited<ReturnType<typeof logIn>>;

/** How the body is framed belongs to the connection, and `Date` is the time of the test. */
const framing = new Set(["date", "connection", "keep-alive", "content-length", "transfer-encoding"]);
/** The texts that both issuers must have in common. */
const commonTexts = new Set(["error", "error_description", "reason", "scope", "token_type"]);

function comparable(response: RawResponse | null) {
  assert.ok(response !== null);
  const headers = [...response.headers]
    .filter(([name]) => !framing.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  // The values of cookies are random.
  const cookies = headers.map(([name, values]) => [name, values.map((one) => one.replace(/=[^;]*;/, "=…;"))]);
  const { body } = response;
  const replace = (key: string, value: unknown) => {
    // Sessions of the same moment are listed in the order of their random ids.
    if (key === "sessions") return (value as object[]).map((one) => JSON.stringify(one)).toSorted();
    return typeof value === "string" && !commonTexts.has(key) ? "text" : value;
  };
  return {
    status: response.status,
    headers: cookies,
    body: body === "" ? "" : JSON.parse(body, replace),
  };
}

const fixedPaths = [
  "/auth/login",
  "/auth/refresh",
  "/auth/refresh/ack",
  "/auth/logout",
  "/auth/logout-all",
  "/auth/sessions",
  "/auth/validate",
  "/auth/revocations",
  "/oauth/token",
  "/oauth/introspect",
  "/oauth/revoke",
  "/.well-known/jwks.json",
  "/.well-known/oauth-authorization-server",
];
const oneOf = fc.constantFrom;
const line = (name: string, ...values: string[]) =>
  fc.option(oneOf(...values), { nil: null }).map((value) => (value === null ? [] : [`${name}: ${value}`]));

/** `$ACCESS` and `$REFRESH` stand for the tokens of a session. Each header field is a line. */
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly host: string;
  readonly authorization: readonly string[];
  readonly type: readonly string[];
  readonly coding: readonly string[];
  readonly origin: readonly string[];
  readonly flag: readonly string[];
  readonly cookie: readonly string[];
  readonly preflight: readonly string[];
  readonly isChunked: boolean;
  readonly body: string;
}

const requestArbitrary: fc.Arbitrary<Asked> = fc.record({
  method: fc.oneof({ weight: 4, arbitrary: oneOf("POST") }, oneOf("GET", "HEAD", "OPTIONS", "DELETE", "PUT")),
  path: fc
    .tuple(
      oneOf(...fixedPaths),
      oneOf("", "", "", "", "/", "?limit=2", "?after=x#y", "#x", "%2F", "//", "/.."),
    )
    .map((parts) => parts.join("")),
  version: oneOf("1.1", "1.1", "1.1", "1.0"),
  host: oneOf(
    "id.example.com",
    "id.example.com:4180",
    "[::1]:80",
    "127.0.0.1",
    "a/b",
    "a?b",
    "a@b",
    "999.1",
    "",
  ),
  authorization: fc.oneof(
    oneOf([], [`Authorization: ${BASIC}`], ["Authorization: Bearer $ACCESS"]),
    oneOf(
      ["Authorization:   Bearer $ACCESS \t"],
      ["Authorization: Basic b3JkZXJzOg=="],
      ["Authorization: Bearer x.y.z"],
      [`Authorization: ${BASIC}`, "authorization: Bearer $ACCESS"],
    ),
  ),
  type: oneOf(
    ...["application/json", "application/x-www-form-urlencoded", "APPLICATION/JSON; charset=utf-8"].map(
      (one) => [`Content-Type: ${one}`],
    ),
    ["Content-Type: text/plain"],
    ["Content-Type: application/json", "Content-Type: application/json"],
    [],
  ),
  coding: line("Content-Encoding", "identity", "gzip"),
  origin: line("Origin", origin, "https://other.example.com"),
  flag: line("X-Holdfast", "1", "2"),
  cookie: oneOf(
    [],
    ["Cookie: __Secure-hf_rt=$REFRESH; __Host-hf_at=$ACCESS"],
    ["Cookie: __Secure-hf_rt=$REFRESH", "cookie: __Host-hf_at=$ACCESS; other=\u00e9"],
    ["Cookie: __Host-hf_at=a; __Host-hf_at=b"],
  ),
  preflight: line("Access-Control-Request-Method", "POST"),
  isChunked: fc.boolean(),
  body: oneOf(
    "",
    "{",
    '{"username":"ann","password":"password of ann"}',
    '{"username":"ann","password":"wrong"}',
    '{"refresh_token":"$REFRESH"}',
    '{"token":"$ACCESS"}',
    '{"token":7}',
    "token=$ACCESS",
    "token=$REFRESH&token=2",
    "grant_type=client_credentials",
    "grant_type=refresh_token&refresh_token=$REFRESH",
    `{"x":${"[".repeat(40)}${"]".repeat(40)}}`,
    '{"username":"\u00e9\u00ff"}',
  ),
});

const usual: Asked = {
  method: "POST",
  path: "/auth/login",
  version: "1.1",
  host: "id.example.com",
  authorization: [],
  type: ["Content-Type: application/json"],
  coding: [],
  origin: [`Origin: ${origin}`],
  flag: [],
  cookie: [],
  preflight: [],
  isChunked: false,
  body: '{"username":"ann","password":"password of ann"}',
};
const form = ["Content-Type: application/x-www-form-urlencoded"];
const cookie = ["Cookie: __Secure-hf_rt=$REFRESH; __Host-hf_at=$ACCESS"];
const service = { ...usual, authorization: [`Authorization: ${BASIC}`], type: form };
/** Requests that succeed. Random ones hardly ever do. */
const successes: readonly Asked[] = [
  usual,
  { ...usual, flag: ["X-Holdfast: 1"] },
  { ...service, path: "/oauth/introspect", body: "token=$ACCESS" },
  { ...service, path: "/oauth/introspect", body: "token=$REFRESH" },
  { ...service, path: "/oauth/token", body: "grant_type=client_credentials" },
  { ...service, path: "/auth/validate", type: usual.type, body: '{"token":"$ACCESS"}' },
  { ...service, method: "GET", path: "/auth/revocations", body: "" },
  { ...usual, path: "/auth/refresh", body: '{"refresh_token":"$REFRESH"}' },
  { ...usual, path: "/auth/refresh", flag: ["X-Holdfast: 1"], cookie, type: [], body: "" },
  { ...usual, method: "GET", path: "/auth/sessions", cookie, body: "" },
  { ...usual, path: "/auth/logout", flag: ["X-Holdfast: 1"], cookie, type: [], body: "" },
];

async function send(port: number, tokens: Tokens, asked: Asked): Promise<RawResponse | null> {
  const fill = (text: string) =>
    text.replaceAll("$ACCESS", tokens.access_token).replaceAll("$REFRESH", tokens.refresh_token);
  const { method, path, version, host, isChunked } = asked;
  const body = fill(asked.body);
  const length = Buffer.byteLength(body, "latin1");
  const size = length.toString(16);
  const hasChunks = isChunked && version === "1.1";
  const lines = [
    ...(host === "" ? [] : [`Host: ${host}`]),
    ...[asked.authorization, asked.type, asked.coding, asked.origin, asked.flag, asked.cookie].flat(),
    ...asked.preflight,
    hasChunks ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`,
  ];
  const chunked = length === 0 ? "0\r\n\r\n" : `${size}\r\n${body}\r\n0\r\n\r\n`;
  return await sendLines(
    port,
    `${method} ${path} HTTP/${version}`,
    lines.map(fill),
    hasChunks ? chunked : body,
  );
}

test("a request has the same answer with the objects of the Fetch API and without them", async (t) => {
  const [plain, web] = await createPair(t);
  const property = fc.asyncProperty(requestArbitrary, async (asked) => {
    const answers = [await send(plain.port, plain.tokens, asked), await send(web.port, web.tokens, asked)];
    const [given, expected] = answers.map(comparable);
    assert.deepEqual(given, expected);
  });
  await fc.assert(property, { numRuns: 600, examples: successes.map((asked) => [asked]) });
});

function startBody(port: number, announced: number, part: string) {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `POST /auth/login HTTP/1.1\r\nHost: id.example.com\r\nContent-Type: application/json\r\nContent-Length: ${announced}\r\n\r\n${part}`,
  );
  let text = "";
  socket.setEncoding("latin1").on("data", (data: string) => (text += data));
  socket.on("error", () => {});
  return { socket, text: () => text };
}

test("a body that stops arriving is 408 after ten seconds", async (t) => {
  const clock = new FakeClock();
  const { issuer } = createFixture({ clock });
  await issuer.ready();
  const { socket, text } = startBody(await serve(t, issuer), 100, "{");
  t.after(() => socket.destroy());
  const isAnswered = async () => {
    await clock.advance(10_000);
    return text() !== "";
  };
  await waitUntil(isAnswered, "the answer to a slow body");
  assert.match(text(), /^HTTP\/1\.1 408 /);
});

test("law 6: a body over the limit is 413, and the server does not read the rest of it", async (t) => {
  const { issuer } = createFixture();
  const announced = 50_000_000;
  const { socket, text } = startBody(await serve(t, issuer), announced, "x".repeat(100_000));
  const closed = once(socket, "close");
  await waitUntil(async () => await Promise.resolve(text() !== ""), "the answer to a large body");
  assert.match(text(), /^HTTP\/1\.1 413 /);
  const part = "x".repeat(100_000);
  const writeOn = () => {
    if (!socket.destroyed && socket.bytesWritten < announced) socket.write(part, () => setImmediate(writeOn));
  };
  writeOn();
  await within(closed, 20_000, "the end of the connection");
  assert.ok(socket.bytesWritten < announced);
});

test("an answer of the application, such as that of its timeout, is not cut off", async (t) => {
  let finishLogin = () => {};
  const { issuer } = createFixture({
    authenticate: async ({ username }) => {
      await new Promise<void>((resolve) => (finishLogin = resolve));
      return { subject: String(username), scopes: [] };
    },
  });
  const listener = mountIssuer(issuer);
  let finishAnswer = () => {};
  const server = createServer((req, res) => {
    listener(req, res);
    if (req.method !== "POST") return;
    // The listener has read the body before.
    req.once("end", () => res.writeHead(503).write("first "));
    finishAnswer = () => res.end("last");
  });
  const port = await listenOn(t, server);
  const body = '{"username":"ann","password":"any"}';
  const { socket, text } = startBody(port, body.length, body);
  t.after(() => socket.destroy());
  await waitUntil(async () => await Promise.resolve(text() !== ""), "the answer of the application");
  const hasSession = async () => {
    finishLogin();
    return (await issuer.sessions.list("ann")).sessions.length > 0;
  };
  await waitUntil(hasSession, "the login");
  // The login ends within the time that these requests take.
  for (let i = 0; i < 5; i++) await sendLines(port, "GET /.well-known/jwks.json HTTP/1.1", ["Host: a"]);
  finishAnswer();
  await waitUntil(async () => await Promise.resolve(text().includes("last")), "the end of the answer");
});

test("a client that goes away in the middle of a body ends nothing but its request", async (t) => {
  const { issuer } = createFixture();
  const port = await serve(t, issuer);
  const { socket } = startBody(port, 100, "{");
  await once(socket, "connect");
  socket.destroy();
  const host = ["Host: id.example.com"];
  assert.equal((await sendLines(port, "GET /.well-known/jwks.json HTTP/1.1", host))?.status, 200);
});
