import assert from "node:assert/strict";
import { test } from "node:test";
import { sendLines, sendRaw } from "../raw-client.ts";
import { told, type Visit } from "./visit.ts";

/** Paths, hosts and framings that a client can write, and what a token can hold. */
export function oddRequests(visit: Visit): void {
  const { get, bearer, reached, denied } = visit;

  const paths = [
    ["//staff/rota", "/open//staff/rota", "/open/../staff/rota", "/open/./page", "/open/%2e%2e/staff/rota"],
    [
      "/open/%2E%2E%2Fstaff/rota",
      "/open%2f..%2fstaff",
      "/open/..%5cstaff",
      "/open/..;/staff/rota",
      "/open;x/page",
    ],
    [
      "/open/%252e%252e/staff/rota",
      "/open/%00",
      "/open/%0d%0aX-Auth-Subject:%20root",
      "/open/%c0%ae%c0%ae/staff",
    ],
    ["/open/%zz", "/open/%", "/OPEN/page", "/Open", "/open/caf\u00e9", "/open/a\\b"],
  ].flat();
  for (const path of paths) {
    test(`fault 55: ${JSON.stringify(path)} is refused, with a token and without`, async () => {
      denied(await get(path), 400, 403);
      denied(await get(path, bearer({ scope: "staff orders:read" })), 400, 403);
    });
  }

  test("fault 55: a target with a host of its own is judged by the host that the application sees", async () => {
    for (const lines of [
      ["GET http://open.example/staff/rota HTTP/1.1", "Host: api.example"],
      ["GET http://api.example/staff/rota HTTP/1.1", "Host: open.example"],
      ["GET http://api.example/open/../staff/rota HTTP/1.1", "Host: api.example"],
    ]) {
      visit.site.application.seen.length = 0;
      const response = await sendLines(visit.site.port, lines[0] ?? "", lines.slice(1));
      if (response?.status !== 200) denied(response, 400, 401, 403, 421);
      else assert.deepEqual(reached().headers["host"], ["open.example"]);
    }
  });

  test("fault 55: where the host of a target ends is not for the application to find out", async () => {
    for (const odd of ["x\\staff\\@api.example", "x?@api.example", "x#@api.example", "me:x@api.example"]) {
      visit.site.application.seen.length = 0;
      const response = await sendLines(visit.site.port, `GET http://${odd}/open/page HTTP/1.1`, [
        "Host: api.example",
      ]);
      if (response?.status !== 200) denied(response, 400, 403);
      else assert.equal(reached().url, "/open/page");
    }
  });

  test("fault 55: two Host headers, or two tokens, are not one of them", async () => {
    denied(await get("/staff/rota", "Host: open.example"), 400, 403);
    denied(await get("/orders/7", "X-Nothing: here", bearer(), bearer({ sub: "bob" })), 400, 401);
    denied(await sendLines(visit.site.port, "GET /staff/rota HTTP/1.0", []), 400, 401, 403);
  });

  test("fault 55: what a subject holds can neither end its header nor begin another", async () => {
    const subject = "a\r\nX-Auth-Scopes: staff\r\n\r\nGET /staff HTTP/1.1\u0000\u00e9{env.PATH}%{+X}";
    assert.equal((await get("/orders/7", bearer({ sub: subject })))?.status, 200);
    assert.equal(told(reached(), "x-auth-subject"), encodeURIComponent(subject));
    assert.equal(told(reached(), "x-auth-scopes"), "orders%3Aread a");
  });

  test("fault 55: a request hidden in another's body is not seen as one of its own", async () => {
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
    for (const seen of visit.site.application.seen) {
      assert.equal(seen.url, "/orders/7");
      assert.equal(told(seen, "x-auth-subject"), "alice");
    }
  });

  test("fault 55: on one connection every request is judged by itself", async () => {
    const request = (path: string, ...more: string[]) =>
      `${[`GET ${path} HTTP/1.1`, "Host: api.example", ...more].join("\r\n")}\r\n\r\n`;
    const pipelined =
      request("/orders/7", bearer()) +
      request("/staff/rota", "X-Auth-Subject: root") +
      request("/open/page", "Connection: close");
    await sendRaw(visit.site.port, pipelined);
    const seen = visit.site.application.seen.map(({ url, ...rest }) => [
      url,
      told({ url, ...rest }, "x-auth-subject"),
    ]);
    assert.deepEqual(
      seen.filter(([url]) => url === "/staff/rota"),
      [],
    );
    for (const [url, subject] of seen) assert.equal(subject, url === "/orders/7" ? "alice" : "");
  });

  test("fault 55: headers without end are refused, a token of its full length is not", async () => {
    const long = visit.site.mint.token({ sub: "alice", scope: "orders:read", pad: "x".repeat(11_000) });
    assert.ok(long.length > 14_000 && long.length < 16_384);
    assert.equal((await get("/orders/7", `Authorization: Bearer ${long}`))?.status, 200);
    visit.site.application.seen.length = 0;
    const endless = `X-Long: ${"x".repeat(200_000)}`;
    denied(await get("/staff/rota", endless), 400, 431, 494, 503);
  });
}
