import assert from "node:assert/strict";
import { test } from "node:test";
import { receivedHeader, type ProxyClient } from "./proxy-client.ts";

/** Tests of paths, hosts and framings that a client can write, and of the contents of a token. */
export function oddRequestTests(visit: ProxyClient): void {
  const { get, bearer, receivedRequest, assertDenied } = visit;

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
      assertDenied(await get(path), 400, 403);
      assertDenied(await get(path, bearer({ scope: "staff orders:read" })), 400, 403);
    });
  }

  test("fault 55: a target with its own host is judged by the host that the application sees", async () => {
    for (const lines of [
      ["GET http://open.example/staff/rota HTTP/1.1", "Host: api.example"],
      ["GET http://api.example/staff/rota HTTP/1.1", "Host: open.example"],
      ["GET http://api.example/open/../staff/rota HTTP/1.1", "Host: api.example"],
    ]) {
      visit.site.application.requests.length = 0;
      const response = await visit.send(lines[0] ?? "", lines.slice(1));
      if (response?.status !== 200) assertDenied(response, 400, 401, 403, 421);
      else assert.deepEqual(receivedRequest().headers["host"], ["open.example"]);
    }
  });

  test("fault 55: a target with an ambiguous end of its host does not reach another path", async () => {
    for (const odd of ["x\\staff\\@api.example", "x?@api.example", "x#@api.example", "me:x@api.example"]) {
      visit.site.application.requests.length = 0;
      const response = await visit.send(`GET http://${odd}/open/page HTTP/1.1`, ["Host: api.example"]);
      if (response?.status !== 200) assertDenied(response, 400, 403);
      else assert.equal(receivedRequest().url, "/open/page");
    }
  });

  test("fault 55: refuses two Host headers, and two tokens", async () => {
    // In HTTP/2 the first one becomes the authority, which counts.
    assertDenied(
      await get("/staff/rota", "Host: open.example"),
      ...(visit.ca === undefined ? [400, 403] : [400, 401]),
    );
    assertDenied(await get("/orders/7", "X-Nothing: here", bearer(), bearer({ sub: "bob" })), 400, 401);
    assertDenied(await visit.send("GET /staff/rota HTTP/1.0", []), 400, 401, 403);
  });

  test("fault 55: refuses CONNECT, because no rule applies to its data", async () => {
    for (const target of ["open.example:443", "/open/page"]) {
      for (const header of ["X-Nothing: here", bearer({ scope: "staff" })]) {
        assertDenied(
          await visit.send(`CONNECT ${target} HTTP/1.1`, ["Host: open.example", header]),
          400,
          405,
        );
      }
    }
  });

  test("fault 55: a subject can neither end its header nor begin another", async () => {
    const subject = "a\r\nX-Auth-Scopes: staff\r\n\r\nGET /staff HTTP/1.1\u0000\u00e9{env.PATH}%{+X}";
    assert.equal((await get("/orders/7", bearer({ sub: subject })))?.status, 200);
    assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), encodeURIComponent(subject));
    assert.equal(receivedHeader(receivedRequest(), "x-auth-scopes"), "orders%3Aread a");
  });

  test("fault 55: refuses endless headers, and accepts a token of the full length", async () => {
    const long = visit.site.mint.token({ sub: "alice", scope: "orders:read", pad: "x".repeat(11_000) });
    assert.ok(long.length > 14_000 && long.length < 16_384);
    assert.equal((await get("/orders/7", `Authorization: Bearer ${long}`))?.status, 200);
    visit.site.application.requests.length = 0;
    const endless = `X-Long: ${"x".repeat(200_000)}`;
    assertDenied(await get("/staff/rota", endless), 400, 431, 494, 503);
  });
}
