import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { waitUntil } from "../../support/deadline.ts";
import { identityHeaders, receivedHeader, type ProxyClient } from "./proxy-client.ts";

/** Tests of the answers to clients and application in normal operation. */
export function answerTests(visit: ProxyClient): void {
  const { get, bearer, receivedRequest, assertDenied } = visit;

  test("a good token passes, and the application gets its identity", async () => {
    const response = await get("/orders/7?x=%2F..//;", bearer());
    assert.equal(response?.status, 200);
    const seen = receivedRequest();
    assert.equal(seen.url, "/orders/7?x=%2F..//;");
    assert.deepEqual(
      identityHeaders.map((header) => receivedHeader(seen, header)),
      ["alice", "orders%3Aread a", "s1", "https%3A%2F%2Fid.example", ""],
    );
    assert.deepEqual(seen.headers["host"], ["api.example"]);
  });

  test("fault 77: an upload of 3 MB reaches the application complete, and never the gateway", async () => {
    // nginx has a limit of 1 MB where a location sets none.
    const body = "x".repeat(3_000_000);
    const headers = [
      "Host: api.example",
      bearer({ scope: "orders:write" }),
      `Content-Length: ${body.length}`,
    ];
    const response = await visit.send("POST /orders/7 HTTP/1.1", headers, body);
    assert.equal(response?.status, 200);
    assert.equal(receivedRequest().body.length, body.length);
    assert.equal(receivedRequest().method, "POST");
  });

  test("law 1: cookies larger than the gateway's header limit do not matter", async () => {
    // HAProxy itself has 32 KiB for all headers.
    const cookie = `Cookie: a=${"x".repeat(visit.proxy === "haproxy" ? 14_000 : 18_000)}`;
    assert.equal((await get("/orders/7", bearer(), cookie, cookie))?.status, 200);
  });

  test("answers 401 with a challenge to a missing, malformed, expired or revoked token", async () => {
    const revoked = bearer({ jti: "revoked" });
    await visit.site.revoke("revoked");
    for (const header of ["X-Nothing: here", "Authorization: Bearer abc", bearer({ exp: 1 }), revoked]) {
      await waitUntil(async () => (await get("/orders/7", header))?.status === 401, "401");
      const response = await get("/orders/7", header);
      assert.equal(response?.status, 401);
      assert.match(
        response.headers.get("www-authenticate")?.join(",") ?? "",
        /^Bearer realm="api"[^,]*(?:, error="invalid_token")?$/,
      );
    }
  });

  test("answers 403 with the missing scope, and 403 when no rule matches", async () => {
    const response = await get("/staff/rota", bearer());
    assertDenied(response, 403);
    assert.match(response?.headers.get("www-authenticate")?.[0] ?? "", /insufficient_scope.*staff/);
    assertDenied(await get("/elsewhere", bearer()), 403);
    assertDenied(await visit.send("DELETE /orders/7 HTTP/1.1", ["Host: api.example", bearer()]), 403);
  });

  test("an anonymous route passes every client, without an identity", async () => {
    // nginx refuses a request with such headers. The others remove them.
    const forged = visit.proxy === "nginx" ? [] : identityHeaders.map((header) => `${header}: root`);
    for (const header of [bearer(), bearer({ exp: 1 }), "X-Nothing: here"]) {
      visit.site.application.requests.length = 0;
      assert.equal((await get("/open/page", header, ...forged))?.status, 200);
      for (const each of identityHeaders) assert.equal(receivedHeader(receivedRequest(), each), "", each);
    }
  });

  test("law 1: a token that could not be checked gets 503 with Retry-After and no challenge", async () => {
    const response = await get("/orders/7", bearer({}, visit.site.unreachable));
    assertDenied(response, 503);
    assert.match(response?.headers.get("retry-after")?.join() ?? "", /^\d+$/);
    assert.equal(response?.headers.get("www-authenticate"), undefined);
  });

  test("the answers of the application pass unchanged", async () => {
    for (const status of [400, 401, 403, 404, 429, 500, 502, 503]) {
      const response = await get(`/orders/answers/${status}`, bearer());
      assert.equal(response?.status, status);
      assert.deepEqual(response.headers.get("www-authenticate"), ["Application"]);
      assert.equal(response.headers.get("retry-after"), undefined);
    }
  });

  test("a WebSocket opens with a good token only", async () => {
    const { ca } = visit;
    const open = (headers: Record<string, string>) =>
      new WebSocket(`${ca === undefined ? "ws" : "wss"}://127.0.0.1:${visit.site.port}/chat`, {
        headers: { host: "api.example", ...headers },
        ...(ca !== undefined && { ca, servername: "api.example" }),
      });
    const socket = open({ authorization: bearer().slice("Authorization: ".length) });
    await once(socket, "open");
    assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
    socket.send("hello");
    const [echoed] = (await once(socket, "message")) as [Buffer];
    assert.equal(echoed.toString(), "hello");
    socket.close();
    await once(socket, "close");
    visit.site.application.requests.length = 0;
    const [error] = (await once(open({}), "error")) as [Error];
    assert.match(error.message, /401/);
    assert.deepEqual(visit.site.application.requests, []);
  });
}
