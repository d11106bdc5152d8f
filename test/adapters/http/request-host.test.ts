import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { mountIssuer } from "../../../src/adapters/node-http.ts";
import { sendLines } from "../../gateway/raw-client.ts";
import { createFixture } from "../../issuer/fixture.ts";

async function portOf(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const KEYS = "/.well-known/jwks.json";
const han = Array.from({ length: 1000 }, (_, i) => encodeURIComponent(String.fromCodePoint(0x4e00 + i))).join(
  "",
);
const hosts: [what: string, host: string, status: number][] = [
  ["a name", "id.example.com", 200],
  ["a name and a port", "id.example.com:8443", 200],
  ["an address of IPv6", "[::1]:8443", 200],
  ["a name in Punycode", "xn--bcher-kva.example", 200],
  ["a long name in another script", han, 400],
  ["a short name in another script", "%E4%B8%80.example", 400],
  ["a name that is longer than any of DNS", `${"a.".repeat(130)}example`, 400],
  ["a user before the name", "user@id.example.com", 400],
];

/** Returns how long the longest text was that a call of `URL.canParse` got. */
function watchParsing(t: TestContext): () => number {
  const { mock } = t.mock.method(URL, "canParse");
  return () => Math.max(0, ...mock.calls.map(({ arguments: [url] }) => url.length));
}

test("law 6: a host that no client sends is refused before the URL is parsed, because that takes quadratic time", async (t) => {
  const longest = watchParsing(t);
  const { issuer } = createFixture();
  const port = await portOf(t, createServer(mountIssuer(issuer)));
  for (const [what, host, status] of hosts) {
    for (const [target, header] of [
      [KEYS, host],
      ["/unknown", host],
      [`http://${host}${KEYS}`, "id.example.com"],
      [`http://${host}?/unknown`, "id.example.com"],
    ] as const) {
      const response = await sendLines(port, `GET ${target} HTTP/1.1`, [`Host: ${header}`]);
      const expected = status === 200 && !target.endsWith(KEYS) ? 404 : status;
      assert.equal(response?.status, expected, `${what}: ${target.slice(0, 60)}`);
    }
  }
  for (const target of [
    `https:${han}/`,
    `ws://${han}/`,
    `file://${han}/`,
    `HTTP://${han}/`,
    `http:\\\\${han}/`,
  ]) {
    const response = await sendLines(port, `GET ${target} HTTP/1.1`, ["Host: id.example.com"]);
    assert.equal(response?.status, 400, target.slice(0, 20));
  }
  assert.ok(longest() < 300, `${longest()} characters were parsed`);
});

test("law 6: the host of a request over HTTP/2 is refused alike", async (t) => {
  const longest = watchParsing(t);
  const { issuer } = createFixture();
  // The types of `mountIssuer` name the classes of HTTP/1, which those of HTTP/2 imitate.
  const port = await portOf(t, createHttp2Server(mountIssuer(issuer) as never));
  const client = connect(`http://127.0.0.1:${port}`);
  t.after(() => client.close());
  const warnings = t.mock.method(process, "emitWarning", () => {});
  for (const [what, host, status] of hosts) {
    if (host.includes("@")) continue; // The parser of HTTP/2 refuses it.
    const stream = client.request({ ":path": KEYS, ":authority": host });
    const [headers] = (await once(stream, "response")) as [{ ":status": number }];
    await text(stream);
    assert.equal(headers[":status"], status, what);
  }
  assert.ok(longest() < 300, `${longest()} characters were parsed`);
  assert.equal(warnings.mock.callCount(), 0);
});
