import assert from "node:assert/strict";
import { test } from "node:test";
import { receivedHeader, type ProxyClient } from "./proxy-client.ts";

/** Tests of headers that a client can write. */
export function forgedHeaderTests(visit: ProxyClient): void {
  const { get, bearer, receivedRequest, assertDenied } = visit;

  const spellings = [
    "X-Auth-Subject",
    "x-auth-subject",
    "X-AUTH-SUBJECT",
    "X_Auth_Subject",
    "X-Auth_Subject",
    "x_auth-subject",
    "X.Auth.Subject",
    "x-auth.subject",
  ];
  for (const spelling of spellings) {
    test(`fault 55: a client's ${spelling} does not reach the application`, async () => {
      const response = await get("/orders/7", `${spelling}: root`, bearer(), `${spelling}: root`);
      if (response?.status !== 200) return assertDenied(response, 400);
      assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
    });
  }

  test("fault 55: identity headers named in Connection still come from the gateway", async () => {
    for (const value of [
      "close, X-Auth-Subject, X-Auth-Scopes",
      "X-Auth-Subject, close",
      "close, Authorization",
    ]) {
      visit.site.application.requests.length = 0;
      const headers = [`Connection: ${value}`, "X-Auth-Subject: root", bearer()];
      const response = await get("/orders/7", ...headers);
      if (response?.status !== 200) assertDenied(response, 400, 401);
      else {
        assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
        // Another proxy between this one and the application must not remove them either.
        assert.doesNotMatch(receivedHeader(receivedRequest(), "connection"), /auth/i);
      }
    }
  });

  const upgrades = [
    ["h2c"],
    ["h2c", "websocket"],
    ["websocket", "h2c"],
    ["h2c, websocket"],
    ["websocket, h2c"],
  ];
  for (const upgrade of upgrades) {
    test(`fault 55: an upgrade to ${upgrade.join(" and ")} is passed on for WebSocket only`, async () => {
      const response = await get(
        "/chat",
        ...upgrade.map((protocol) => `Upgrade: ${protocol}`),
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Connection: close, Upgrade, HTTP2-Settings",
        bearer(),
      );
      if (visit.site.application.requests.length === 0) return assertDenied(response, 400);
      assert.match(receivedHeader(receivedRequest(), "upgrade"), /^(?:websocket)?$/);
    });
  }

  const elsewhere: [what: string, headers: string[]][] = [
    [
      "X-Original-URI",
      ["X-Original-URI: /open/page", "X-Original-URL: /open/page", "X-Rewrite-URL: /open/page"],
    ],
    ["X-Original-Method", ["X-Original-Method: GET", "X-Original-Host: open.example"]],
    [
      "X-Forwarded-Uri",
      ["X-Forwarded-Uri: /open/page", "X-Forwarded-Method: GET", "X-Forwarded-Prefix: /open"],
    ],
    ["X-Forwarded-Host", ["X-Forwarded-Host: open.example", "Forwarded: host=open.example"]],
    [
      "X_Forwarded_Host",
      ["X_Forwarded_Host: open.example", "X_Original_URI: /open/page", "X_Forwarded_Uri: /open/page"],
    ],
    [
      "X-HTTP-Method-Override",
      ["X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET"],
    ],
    ["X-Forwarded-For", ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"]],
    [
      "Connection",
      ["Connection: close, X-Original-URI, X-Original-Method, X-Forwarded-Uri, X-Forwarded-Host"],
    ],
  ];
  for (const [what, headers] of elsewhere) {
    test(`fault 55: a client's ${what} does not change which request is judged`, async () => {
      const twice = [...headers, ...headers.filter((line) => !line.startsWith("Connection"))];
      assertDenied(
        await visit.send("POST /staff/rota HTTP/1.1", [
          "Host: api.example",
          bearer(),
          ...twice,
          "Content-Length: 0",
        ]),
        ...(visit.ca === undefined ? [403] : [400, 403]), // HTTP/2 has no Connection.
      );
      const response = await get("/orders/7", bearer(), ...twice);
      if (response?.status !== 200) return assertDenied(response, 400, 401, 403);
      const { headers: seen } = receivedRequest();
      for (const lost of [
        "x-original-uri",
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-uri",
        "x-http-method-override",
        "x-method-override",
        "x-forwarded-prefix",
        "forwarded",
      ]) {
        assert.equal(seen[lost], undefined, lost);
      }
      assert.ok(!String(seen["x-forwarded-host"]).includes("open"));
    });
  }

  for (const header of ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]) {
    test(`fault 77: a request that names another method in ${header} is judged by its own, or refused, and its application does not see the header`, async () => {
      const response = await get("/orders/7", bearer(), `${header}: DELETE`);
      // Only nginx sends these headers to the service. The others remove them before they ask.
      if (visit.proxy === "nginx") return assertDenied(response, 403);
      assert.equal(response?.status, 200);
      const { method, headers } = receivedRequest();
      assert.equal(method, "GET");
      assert.equal(headers[header.toLowerCase()], undefined);
    });
  }

  test("fault 77: a query that names another method, for which another rule decides, is refused", async () => {
    assertDenied(await get("/orders/7?_method=DELETE", bearer()), 403);
  });
}
