import assert from "node:assert/strict";
import { test } from "node:test";
import { sendLines, sendRaw } from "../raw-client.ts";
import { receivedHeader, type ProxyClient } from "./proxy-client.ts";

/** Tests of what only HTTP/1.1 can express: upgrades, and the end of a request. */
export function http1Tests(visit: ProxyClient): void {
  const { bearer, receivedRequest } = visit;

  test("fault 55: a WebSocket handshake that names identity headers in Connection keeps them", async () => {
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const upgrade = [
      "Upgrade: websocket",
      "Connection: Upgrade, X-Auth-Subject",
      "Sec-WebSocket-Version: 13",
      key,
    ];
    const answer = sendLines(
      visit.site.port,
      "GET /chat HTTP/1.1",
      ["Host: api.example", ...upgrade, bearer()],
      "\u0081\u0000",
    );
    assert.equal((await answer)?.status, 101);
    assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
  });

  test("fault 55: a request hidden in the body of another is not a request of its own", async () => {
    const hidden = "GET /staff/rota HTTP/1.1\r\nHost: api.example\r\nX-Auth-Subject: root\r\n\r\n";
    const framings = [
      ["Transfer-Encoding: chunked", `Content-Length: ${hidden.length + 5}`],
      ["Content-Length: 5", "Transfer-Encoding: chunked"],
      ["Content-Length: 0", `Content-Length: ${hidden.length}`],
      ["Transfer-Encoding: xchunked", "Content-Length: 5"],
      ["Transfer-Encoding : chunked", "Content-Length: 5"],
      ["Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Content-Length: 5"],
      ["Transfer_Encoding: chunked", "Content-Length: 5"],
      ["Content-Length: +5"],
      ["Content-Length: 5\r\n X-Folded: 1"],
    ];
    for (const framing of framings) {
      for (const scope of ["orders:write", ""]) {
        const head = [
          "POST /orders/7 HTTP/1.1",
          "Host: api.example",
          bearer({ scope }),
          "Connection: close",
          ...framing,
        ];
        await sendRaw(visit.site.port, `${head.join("\r\n")}\r\n\r\n0\r\n\r\n${hidden}`);
      }
    }
    assert.notEqual(visit.site.application.requests.length, 0);
    for (const seen of visit.site.application.requests) {
      assert.equal(seen.url, "/orders/7");
      assert.equal(receivedHeader(seen, "x-auth-subject"), "alice");
    }
  });

  test("fault 55: every request of a connection is judged separately", async () => {
    const request = (path: string, ...more: string[]) =>
      `${[`GET ${path} HTTP/1.1`, "Host: api.example", ...more].join("\r\n")}\r\n\r\n`;
    const pipelined =
      request("/orders/7", bearer()) +
      request("/staff/rota", "X-Auth-Subject: root") +
      request("/open/page", "Connection: close");
    await sendRaw(visit.site.port, pipelined);
    const seen = visit.site.application.requests.map(({ url, ...rest }) => [
      url,
      receivedHeader({ url, ...rest }, "x-auth-subject"),
    ]);
    assert.notEqual(seen.length, 0);
    assert.deepEqual(
      seen.filter(([url]) => url === "/staff/rota"),
      [],
    );
    for (const [url, subject] of seen) assert.equal(subject, url === "/orders/7" ? "alice" : "");
  });
}
