import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { startGuardedGateway, type GuardedGateway } from "./guarded-site.ts";
import { sendLines, type RawResponse } from "./raw-client.ts";

/*
 * These tests send what the documentation and sources of two proxies describe, because the proxies are not installed.
 * Traefik 3 (ForwardAuth, trustForwardHeader false) sends a GET with the X-Forwarded-… headers that it sets. Envoy 1.31
 * (ext_authz over HTTP) sends method, host and path of the client, Content-Length 0, and Authorization.
 */

let guarded: GuardedGateway;
before(async () => void (guarded = await startGuardedGateway()));
after(async () => await guarded.stop());

type Ask = (method: string, target: string, headers?: string[], host?: string) => Promise<RawResponse | null>;

const traefik: Ask = async (method, target, headers = [], host = "api.example") =>
  await sendLines(guarded.port, "GET /verify/traefik HTTP/1.1", [
    `Host: 127.0.0.1:${guarded.port}`,
    "User-Agent: Go-http-client/1.1",
    ...headers,
    "X-Forwarded-For: 192.0.2.7",
    `X-Forwarded-Host: ${host}`,
    `X-Forwarded-Method: ${method}`,
    "X-Forwarded-Port: 443",
    "X-Forwarded-Proto: https",
    `X-Forwarded-Uri: ${target}`,
    "Accept-Encoding: gzip",
  ]);

const envoy: Ask = async (method, target, headers = [], host = "api.example") =>
  await sendLines(guarded.port, `${method} /verify/envoy${target} HTTP/1.1`, [
    `host: ${host}`,
    ...headers.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())),
    "content-length: 0",
    "x-envoy-internal: true",
    "x-forwarded-for: 192.0.2.7",
    "x-envoy-expected-rq-timeout-ms: 200",
  ]);

const identity = ["subject", "scopes", "session", "issuer", "degraded"].map((name) => `x-auth-${name}`);
const told = (response: RawResponse | null) =>
  identity.map((header) => response?.headers.get(header)?.join("|"));

for (const [name, ask] of Object.entries({ traefik, envoy })) {
  const bearer = (claims: object = {}, mint = guarded.mint) =>
    `Authorization: Bearer ${mint.token({ sub: "alice", sid: "s1", scope: "orders:read", ...claims })}`;

  test(`${name}: a request passes only with 200 and every identity header`, async () => {
    for (const method of ["GET", "HEAD"]) {
      const response = await ask(method, "/orders/7?x=1", [bearer()], "API.example:443");
      assert.equal(response?.status, 200);
      assert.deepEqual(told(response), ["alice", "orders%3Aread", "s1", "https%3A%2F%2Fid.example", ""]);
      assert.equal(response.body, "");
    }
  });

  test(`${name}: an anonymous route sends every identity header empty`, async () => {
    const response = await ask("POST", "/open/page");
    assert.equal(response?.status, 200);
    assert.deepEqual(told(response), ["", "", "", "", ""]);
  });

  test(`law 1: ${name}: an invalid token gets 401, and an unchecked one 503 with Retry-After`, async () => {
    assert.equal((await ask("GET", "/orders/7"))?.status, 401);
    assert.equal((await ask("GET", "/orders/7", [bearer({ exp: 1 })]))?.status, 401);
    const response = await ask("GET", "/orders/7", [bearer({}, guarded.unreachable)]);
    assert.equal(response?.status, 503);
    assert.match(response.headers.get("retry-after")?.[0] ?? "", /^\d+$/);
  });

  test(`fault 55: ${name}: answers 403 to a missing scope, another method, no rule, an ambiguous path`, async () => {
    const paths = ["//staff", "/open/../staff", "/open/%2e%2e/staff", "/open/..;/staff", "/open%2fpage"];
    const targets = [
      ["GET", "/staff/rota"],
      ["POST", "/orders/7"],
      ["GET", "/"],
      ...paths.map((path) => ["GET", path]),
    ];
    for (const [method = "", target = ""] of targets) {
      assert.equal((await ask(method, target, [bearer()]))?.status, 403, target);
    }
  });

  test(`fault 55: ${name}: ignores the headers of other proxies, which a client may send`, async () => {
    const forged = ["X-Original-URI: /open/page", "X-Original-Method: GET", "X_Forwarded_Uri: /open/page"];
    const answer = await ask("GET", "/staff/rota", [bearer(), ...forged]);
    assert.equal(answer?.status, 403);
  });
}

test("fault 55: envoy: ignores a client's X-Forwarded-… headers, and refuses a second Host", async () => {
  const forged = ["X-Forwarded-Uri: /open/page", "X-Forwarded-Method: GET", "X-Forwarded-Host: open.example"];
  assert.equal((await envoy("GET", "/staff/rota", forged))?.status, 401);
  // The listener refuses the request, before the gateway reads it (RFC 9112 §3.2).
  assert.equal((await envoy("GET", "/staff/rota", ["Host: open.example"]))?.status, 400);
});

test("the configurations use the headers of the service, and let no request pass without it", () => {
  const read = (path: string) =>
    readFileSync(new URL(`../../ops/${path}`, import.meta.url), "utf8").toLowerCase();
  const [ofTraefik, ofEnvoy] = [read("traefik/dynamic.yml"), read("envoy/envoy.yaml")];
  for (const header of identity)
    assert.ok(ofTraefik.includes(`- ${header}\n`) && ofEnvoy.includes(`exact: ${header}\n`));
  assert.match(ofTraefik, /trustforwardheader: false/);
  assert.match(ofEnvoy, /failure_mode_allow: false/);
  assert.match(ofEnvoy, /status_on_error: \{ code: serviceunavailable \}/);
});
