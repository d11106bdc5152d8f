import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startApplication, type Application } from "./application.ts";
import { startGuardedGateway, type GuardedGateway } from "./guarded-site.ts";
import { isMissing, startNginx, type Proxy } from "./proxies.ts";
import { sendLines } from "./raw-client.ts";
import { waitUntil } from "../support/deadline.ts";
import { freePort } from "../support/free-port.ts";

/** A server with headers, error pages and locations of its own. */
const server = (application: number) => {
  const pass = `proxy_pass http://127.0.0.1:${application};`;
  return `
    add_header Strict-Transport-Security max-age=1 always;
    error_page 403 /denied.html;
    include ops:holdfast.conf;
    error_page 404 /404.html;
    location = /denied.html { auth_request off; return 200 "denied page"; }
    location = /404.html { auth_request off; return 200 "missing page"; }
    location = /own-500.html { auth_request off; return 200 "page of the application"; }
    location = /public/500 { auth_request off; proxy_intercept_errors on; ${pass} }
    location = /warns { auth_request off; if ($arg_never) { set $never_set 1; } return 200 "$never_set"; }
    location / { ${pass} }
    location /orders/intercepted/ { proxy_intercept_errors on; ${pass} }
    location /orders/own-page/ {
      proxy_intercept_errors on; error_page 500 502 /own-500.html; ${pass}
    }
    location /orders/missing-page/ { error_page 404 /404.html; ${pass} }
    location /orders/both-pages/ { include ops:holdfast-errors.conf; error_page 404 /404.html; ${pass} }
    location /orders/header/ { add_header X-Frame-Options DENY always; ${pass} }
    location /staff/header/ {
      add_header X-Frame-Options DENY always; include ops:holdfast-headers.conf;
      error_page 404 /404.html; ${pass}
    }
    location /orders/params/ { proxy_set_header X-Real-IP $remote_addr; ${pass} }
    location /orders/params/with-include/ {
      proxy_set_header X-Real-IP $remote_addr; include ops:holdfast-proxy.conf; ${pass}
    }
    location /auth/ { include ops:holdfast-endpoints.conf; }
    location /orders/small/ { client_max_body_size 1k; ${pass} }`;
};

describe("settings of nginx beside holdfast.conf", { skip: isMissing("nginx") }, () => {
  let gateway: GuardedGateway;
  let application: Application;
  let proxy: Proxy;
  let proxyAlone: Proxy;
  before(async () => {
    gateway = await startGuardedGateway();
    application = await startApplication();
    proxy = await startNginx(gateway.port, server(application.port));
    proxyAlone = await startNginx(await freePort(), server(application.port));
  });
  after(async () => {
    await proxy.stop();
    await proxyAlone.stop();
    await application.stop();
    await gateway.stop();
  });
  const bearer = (claims: object = {}) =>
    `Authorization: Bearer ${gateway.mint.token({ sub: "alice", scope: "orders:read", ...claims })}`;
  const get = async (path: string, ...headers: string[]) =>
    await sendLines(proxy.port, `GET ${path} HTTP/1.1`, ["Host: api.example", ...headers]);
  const getAlone = async (path: string) =>
    await sendLines(proxyAlone.port, `GET ${path} HTTP/1.1`, ["Host: api.example", bearer()]);

  test("fault 77: headers of the server survive each denial", async () => {
    const denials = [
      [await get("/orders/7"), 401],
      [await get("/staff/rota", bearer()), 403],
      [await get("/orders/7", bearer(), "X-Auth-Subject: root"), 400],
      [await get("/orders/7", bearer(), bearer(), "Cookie: __Host-hf_at=a; __Host-hf_at=b"), 400],
      [await getAlone("/orders/7"), 503],
    ] as const;
    for (const [response, status] of denials) {
      assert.equal(response?.status, status);
      assert.deepEqual(response.headers.get("strict-transport-security"), ["max-age=1"], String(status));
    }
  });

  test("a client cannot fill the error log with refused requests", async () => {
    const forged = ["subject", "scopes", "session", "issuer", "degraded"].map((name) => `X-Auth-${name}: x`);
    for (const header of forged) assert.equal((await get("/orders/7", header))?.status, 400);
    // nginx writes in order, so what it logged for the requests above comes before this warning.
    assert.equal((await get("/warns"))?.status, 200);
    await waitUntil(
      async () => await Promise.resolve(proxy.log().includes('uninitialized "never_set"')),
      "the warning of nginx",
    );
    assert.doesNotMatch(proxy.log(), /uninitialized "holdfast/);
  });

  test("fault 77: headers of a location survive 401 and 403", async () => {
    const missing = await get("/orders/header/7");
    assert.equal(missing?.status, 401);
    assert.deepEqual(missing.headers.get("x-frame-options"), ["DENY"]);
    assert.equal(missing.headers.get("www-authenticate")?.length, 1);
    const forbidden = await get("/staff/header/7", bearer());
    assert.equal(forbidden?.status, 403);
    assert.deepEqual(forbidden.headers.get("x-frame-options"), ["DENY"]);
    assert.match(forbidden.headers.get("www-authenticate")?.join() ?? "", /insufficient_scope/);
  });

  test("fault 77: an error page of the server survives a 403, with the challenge", async () => {
    const response = await get("/staff/rota", bearer());
    assert.equal(response?.status, 403);
    assert.equal(response.body, "denied page");
    assert.match(
      response.headers.get("www-authenticate")?.join() ?? "",
      /^Bearer [^,]*, error="insufficient_scope"/,
    );
  });

  test("fault 77: a location with an error page of its own fails closed, and answers 503 with the include", async () => {
    const without = await getAlone("/orders/missing-page/7");
    assert.equal(without?.status, 500);
    const withInclude = await getAlone("/orders/both-pages/7");
    assert.equal(withInclude?.status, 503);
    assert.deepEqual(withInclude.headers.get("retry-after"), ["1"]);
    assert.deepEqual(withInclude.headers.get("cache-control"), ["no-store"]);
    assert.equal(application.requests.length, 0);
  });

  test("fault 77: an error of the application never becomes a 503 of the service", async () => {
    for (const status of [401, 403, 404, 429, 500, 502, 503]) {
      const path = `/orders/intercepted/answers/${status}`;
      const response = await get(path, bearer());
      assert.equal(response?.status, status);
      assert.equal(response.headers.get("retry-after"), undefined);
    }
    // The service was not asked, so that a denial is impossible.
    application.requests.length = 0;
    const response = await get("/orders/own-page/answers/500", bearer());
    assert.equal(response?.status, 500);
    assert.equal(response.body, "page of the application");
  });

  test("fault 77: an error at a path that is not guarded stays what it is", async () => {
    const proxied = await startNginx(
      await freePort(),
      `include ops:holdfast.conf; location / { auth_request off; proxy_intercept_errors on; proxy_pass http://127.0.0.1:${application.port}; }`,
    );
    try {
      const response = await sendLines(proxied.port, "GET /answers/500 HTTP/1.1", ["Host: api.example"]);
      assert.equal(response?.status, 500);
      assert.equal(response.headers.get("retry-after"), undefined);
    } finally {
      await proxied.stop();
      application.requests.length = 0;
    }
  });

  test("fault 77: a proxy_set_header in a location gives no client another identity", async () => {
    for (const path of ["/orders/params/7", "/orders/params/with-include/7"]) {
      const forged = await get(path, bearer(), "X-Auth-Subject:", "X-Auth-Subject: root");
      assert.equal(forged?.status, 400);
    }
    assert.equal(application.requests.length, 0);
    await get("/orders/params/with-include/7", bearer());
    assert.deepEqual(application.requests[0]?.headers["x-auth-subject"], ["alice"]);
    application.requests.length = 0;
  });

  test("fault 77: while the service is down, its endpoints behind nginx answer 503 in JSON, with Retry-After", async () => {
    const down = await getAlone("/auth/login");
    assert.equal(down?.status, 503);
    assert.deepEqual(down.headers.get("retry-after"), ["1"]);
    assert.deepEqual(down.headers.get("cache-control"), ["no-store"]);
    assert.deepEqual(down.headers.get("content-type"), ["application/json"]);
    assert.deepEqual(down.headers.get("strict-transport-security"), ["max-age=1"]);
    assert.equal((JSON.parse(down.body) as { error: string }).error, "temporarily_unavailable");
    const up = await get("/auth/login");
    assert.equal(up?.headers.get("retry-after"), undefined);
    assert.ok((up?.status ?? 500) < 500, String(up?.status));
  });

  test("fault 77: the limit of a location for bodies is a 413 for the client", async () => {
    const headers = ["Host: api.example", bearer({ scope: "orders:write" }), "Content-Length: 2000"];
    const response = await sendLines(proxy.port, "POST /orders/small/7 HTTP/1.1", headers, "x".repeat(2000));
    assert.equal(response?.status, 413);
  });

  test("law 1: headers that the service cannot hold are a 431, not a 401 and not an outage", async () => {
    const large = Array.from({ length: 3 }, (_, i) => `X-Large-${i}: ${"x".repeat(14_000)}`);
    const response = await get("/orders/7", bearer(), ...large);
    assert.equal(response?.status, 431);
    assert.equal(response.headers.get("retry-after"), undefined);
  });
});
