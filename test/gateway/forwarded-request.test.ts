import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { readForwardedRequest } from "../../src/gateway/forwarded-request.ts";

function ask(url: string, headers: string[], method = "GET"): ReturnType<typeof readForwardedRequest> {
  return readForwardedRequest({ url, method, rawHeaders: headers } as IncomingMessage);
}

const original = [
  "X-Original-Method",
  "POST",
  "X-Original-URI",
  "/orders/7?x",
  "X-Forwarded-Host",
  "a.example",
];
const forwarded = [
  "X-Forwarded-Method",
  "POST",
  "X-Forwarded-Uri",
  "/orders/7?x",
  "X-Forwarded-Host",
  "a.example",
];
const asked = { status: "ok", host: "a.example", method: "POST", path: "/orders/7" };

const dialects: [proxy: string, own: string[], foreign: string[]][] = [
  [
    "nginx",
    original,
    ["X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/open", "X-Original-Host", "b.example"],
  ],
  ["caddy", forwarded, ["X-Original-Method", "GET", "X-Original-URI", "/open"]],
  ["haproxy", forwarded, ["X-Original-Method", "GET", "X-Original-URI", "/open"]],
  ["traefik", forwarded, ["X-Original-Method", "GET", "X-Original-URI", "/open"]],
];
for (const [proxy, own, foreign] of dialects) {
  test(`fault 55: ${proxy}: reads only the headers that the proxy sets`, () => {
    const override = ["X-Rewrite-URL", "/open"];
    assert.deepEqual(ask(`/verify/${proxy}`, [...foreign, ...own, ...override]), asked);
    assert.deepEqual(ask(`/verify/${proxy}?of=the+client`, own), asked);
    assert.equal(ask(`/verify/${proxy}`, [...foreign, ...override]).status, "unclear");
  });

  test(`fault 55: ${proxy}: each header must occur exactly once, in any case`, () => {
    for (let i = 0; i < own.length; i += 2) {
      const again = [own[i]?.toUpperCase() ?? "", own[i + 1] ?? ""];
      assert.equal(ask(`/verify/${proxy}`, [...own, ...again]).status, "unclear");
      assert.equal(ask(`/verify/${proxy}`, own.toSpliced(i, 2)).status, "unclear");
      assert.equal(ask(`/verify/${proxy}`, own.with(i + 1, "")).status, "unclear");
    }
  });
}

const override = "X-HTTP-Method-Override";
const overrides: [headers: string[], query: string, methods: string[] | undefined][] = [
  [[override, "delete"], "", ["DELETE"]],
  [[override, "PUT, patch", "x_http_method", "HEAD"], "", ["PUT", "PATCH", "GET"]],
  [["X-Method-Override", " made up "], "", ["MADE UP"]],
  [[override, "", "X-Method", "PUT"], "", undefined],
  [[], "?a=1&_method=delete&%5Fmethod=put", ["DELETE", "PUT"]],
  [[], "?method=delete&a_method=put", undefined],
  [[override, "a,".repeat(5000)], "", Array<string>(8).fill("A")],
];
for (const [headers, query, methods] of overrides) {
  test(`fault 55: ${headers.slice(0, 2).join(": ").slice(0, 40)}${query} names ${methods?.join(", ") ?? "no other method"}`, () => {
    const own = [
      "X-Original-Method",
      "POST",
      "X-Original-URI",
      `/a${query}`,
      "X-Forwarded-Host",
      "a.example",
    ];
    const request = ask("/verify/nginx", [...headers, ...own]);
    assert.ok(request.status === "ok");
    assert.deepEqual(request.otherMethods, methods);
  });
}

test("an escaped slash has three readings", () => {
  const own = ["X-Original-Method", "GET", "X-Original-URI", "/q/%2f/a?%2f", "X-Forwarded-Host", "a.example"];
  const request = ask("/verify/nginx", own);
  assert.ok(request.status === "ok");
  assert.deepEqual([request.path, request.otherPaths], ["/q/\uffff/a", ["/q///a", "/q/a"]]);
});

test("reads method, host and path of envoy from the request itself", () => {
  const headers = ["Host", "A.example:8080", "X-Forwarded-Uri", "/open", "X-Forwarded-Host", "b.example"];
  assert.deepEqual(ask("/verify/envoy/orders/7?x", headers, "POST"), asked);
  assert.deepEqual(ask("/verify/envoy/", headers), { ...asked, method: "GET", path: "" });
  assert.equal(ask("/verify/envoy//orders", headers).status, "unclear");
  assert.equal(ask("/verify/envoy/orders", []).status, "unclear");
  assert.equal(ask("/verify/envoy/orders", [...headers, "host", "c.example"]).status, "unclear");
});

test("a path without the name of a proxy describes no request", () => {
  for (const url of [
    "/verify",
    "/verify/",
    "/verify/NGINX",
    "/verify/nginx/x",
    "/verify/envoyx/a",
    "/verify/constructor",
  ]) {
    assert.equal(ask(url, [...original, ...forwarded]).status, "unclear", url);
  }
});

const hosts: [host: string, read: string | undefined][] = [
  ["A.Example", "a.example"],
  ["a.example:8443", "a.example"],
  ["a.example.", "a.example"],
  ["a.example.:443", "a.example"],
  ["127.0.0.1:80", "127.0.0.1"],
  ["[::1]:80", "[::1]"],
  ["a.example, b.example", undefined],
  ["a.example/open", undefined],
  ["user@a.example", undefined],
  ["a..example", undefined],
  [".", undefined],
  ["a.example:", undefined],
];
for (const [host, read] of hosts) {
  test(`the host ${host} is ${read ?? "refused"}`, () => {
    const question = ask("/verify/nginx", original.with(5, host));
    assert.equal(question.status === "ok" ? question.host : undefined, read);
  });
}

test("judges HEAD as GET, and refuses CONNECT, unknown methods and methods in lower case", () => {
  const method = (name: string) => {
    const question = ask("/verify/nginx", original.with(1, name));
    return question.status === "ok" ? question.method : undefined;
  };
  assert.equal(method("HEAD"), "GET");
  assert.equal(method("PROPFIND"), "PROPFIND");
  for (const odd of ["CONNECT", "get", "Post", "FOO", "GET, POST", "GET\tX"])
    assert.equal(method(odd), undefined, odd);
});
