import assert from "node:assert/strict";
import { test } from "node:test";
import type { Field } from "../http2-client.ts";
import { api, authority, get } from "./http2-fields.ts";
import { receivedHeader, type ProxyClient } from "./proxy-client.ts";

const open = authority("open.example");

/** Requests that only the header blocks of HTTP/2 can express. */
export function http2HeaderTests(visit: ProxyClient): void {
  const { receivedRequest, assertDenied, sendHttp2, bearerField } = visit;
  const seen = () => visit.site.application.requests;
  test("the application sees that its client used TLS, and gets cookies in one header", async () => {
    const cookies: Field[] = ["a=1", "b=2"].map((cookie) => ["cookie", cookie]);
    const answer = await sendHttp2({ fields: get("/orders/7", api, bearerField(), ...cookies) });
    assert.equal(answer?.status, 200);
    assert.equal(answer.headers.get("alt-svc"), undefined, "HTTP/3 is offered");
    assert.equal(receivedHeader(receivedRequest(), "x-forwarded-proto"), "https");
    assert.equal(receivedHeader(receivedRequest(), "cookie"), "a=1; b=2");
  });

  // Every request passes at open.example. At api.example these requests need a token.
  const hosts: [what: string, fields: Field[]][] = [
    [":authority api, host open", [api, ["host", "open.example"]]],
    [":authority open, host api", [open, ["host", "api.example"]]],
    ["host open", [["host", "open.example"]]],
    [
      "host api, host open",
      [
        ["host", "api.example"],
        ["host", "open.example"],
      ],
    ],
    [
      "host open, host api",
      [
        ["host", "open.example"],
        ["host", "api.example"],
      ],
    ],
    [":authority empty, host open", [authority(""), ["host", "open.example"]]],
    [":authority in capitals, with a port", [authority("OPEN.example:8443")]],
    [":authority in capitals, host api", [authority("OPEN.example"), ["host", "api.example"]]],
    [":authority open, :authority api", [open, api]],
    [":authority api, :authority open", [api, open]],
    ["a late :authority", [["x-nothing", "here"], open]],
    ["an odd scheme", [[":scheme", "https://open.example/open/page?"], api]],
    ["a second method", [[":method", "POST"], open]],
    ["a second path", [[":path", "/open/page"], api]],
    ["an unknown pseudo-header", [[":host", "open.example"], api]],
    ["neither", []],
    ["two hosts in one", [authority("open.example,api.example")]],
    ["two hosts and a blank", [authority("open.example api.example")]],
    ["a user", [authority("open.example@api.example")]],
    ["a path", [authority("open.example/open")]],
    ["a line", [authority("open.example\r\nX-Auth-Subject: root")]],
  ];
  for (const [what, fields] of hosts) {
    test(`fault 55: ${what}: the host that was judged is the one that the application sees`, async () => {
      const answer = await sendHttp2({ fields: get("/staff/rota", ...fields) });
      if (seen().length === 0) return assertDenied(answer, 400, 401, 403);
      const { url, headers } = receivedRequest();
      assert.equal(url, "/staff/rota");
      assert.match(headers["host"]?.join() ?? "", /^open\.example(?::8443)?$/i);
      assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "");
    });
  }

  const paths = [
    "",
    "open/page",
    "@open.example/open",
    ":80/open/page",
    "/open/a\tb",
    "/open/page\0",
    "/open/page#",
    "/open/a b",
  ];
  const lines = ["/open/page HTTP/1.1\r\nX-Auth-Subject: root\r\nX: y", "/open/page?\nX-Auth-Subject: root"];
  for (const path of [...paths, ...lines]) {
    test(`fault 55: the path ${JSON.stringify(path)} is refused, or escaped`, async () => {
      const answer = await sendHttp2({ fields: get(path, api) });
      if (answer?.status !== 200) assertDenied(answer, 400, 403);
      else assert.match(receivedRequest().url, /^\/open\/(?:\w|%2[03])+$/);
    });
  }

  for (const method of ["", "get", "GET /staff/rota", "GET /staff/rota HTTP/1.1\r\nX:", "FOO"]) {
    test(`fault 55: the method ${JSON.stringify(method)} is refused`, async () => {
      const fields = get("/open/page", api).with(0, [":method", method]);
      assertDenied(await sendHttp2({ fields }), 400, 403);
    });
  }

  const smuggled: Field[] = [
    ["X-Auth-Subject", "root"],
    ["x-auth-subject ", "root"],
    [" x-auth-subject", "root"],
    ["x-auth-subject:root", "x"],
    ["x-auth-subject\0", "root"],
    ["x: y\r\nx-auth-subject", "root"],
    ["x: y\nx-auth-subject", "root"],
    ["", "root"],
    ["x", "y\r\nx-auth-subject: root"],
    ["x", "y\nx-auth-subject: root"],
    ["x", "y\rx-auth-subject: root"],
    ["x", "y\0"],
    ["connection", "x-auth-subject"],
    ["proxy-connection", "x-auth-subject"],
    ["keep-alive", "x-auth-subject"],
    ["te", "gzip"],
    ["te", "trailers"],
  ];
  for (const [name, value] of smuggled) {
    test(`fault 55: ${JSON.stringify(`${name}: ${value}`)} does not change the identity`, async () => {
      const answer = await sendHttp2({ fields: get("/orders/7", api, bearerField(), [name, value]) });
      if (answer?.status !== 200) return assertDenied(answer, 400);
      assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
      assert.equal(
        receivedRequest().headers["connection"]?.some((each) => /auth/i.test(each)) ?? false,
        false,
      );
    });
  }
}
