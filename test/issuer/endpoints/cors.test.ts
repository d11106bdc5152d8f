import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createFixture, sendRequest } from "../fixture.ts";

const PAGE = "https://app.example.com";

const allowedOrigin = (response: Response) => response.headers.get("Access-Control-Allow-Origin");

describe("CORS of the issuer", () => {
  test("an application in its own scheme is a listed origin, and a wildcard is refused by name", async () => {
    const origins = ["capacitor://localhost", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"];
    const { issuer } = createFixture({ corsOrigins: origins });
    for (const Origin of origins) {
      const response = await sendRequest(issuer, "GET", "/auth/sessions", undefined, { Origin });
      assert.equal(allowedOrigin(response), Origin);
    }
    for (const origin of ["https://*.preview.example.com", "*", "null", "capacitor://*"]) {
      assert.throws(() => createFixture({ corsOrigins: [PAGE, origin] }), {
        code: "invalid_option",
        message: /^createIssuer: corsOrigins\[1\] must be an exact origin.* without wildcard/,
      });
    }
  });

  test("a preflight of a listed origin allows every header that it names, such as those of tracing", async () => {
    const { issuer } = createFixture({ corsOrigins: [PAGE] });
    const preflight = async (origin: string, asked?: string) =>
      await sendRequest(issuer, "OPTIONS", "/auth/refresh", undefined, {
        Origin: origin,
        "Access-Control-Request-Method": "POST",
        ...(asked !== undefined && { "Access-Control-Request-Headers": asked }),
      });
    const names = "authorization,baggage,content-type,sentry-trace,traceparent,tracestate,x-b3-traceid";
    const traced = await preflight(PAGE, names);
    assert.equal(traced.status, 204);
    assert.equal(traced.headers.get("Access-Control-Allow-Headers"), names);
    assert.equal(traced.headers.get("Access-Control-Allow-Methods"), "GET, HEAD, POST, PATCH, DELETE");
    assert.match(traced.headers.get("Vary") ?? "", /Origin, Access-Control-Request-Headers/);
    const usual = "authorization, content-type, x-holdfast";
    for (const odd of [undefined, "x".repeat(5000), "a/b", "a(b)"]) {
      const answer = await preflight(PAGE, odd);
      assert.equal(answer.headers.get("Access-Control-Allow-Headers"), usual);
    }
    const foreign = await preflight("https://evil.example", names);
    assert.equal(allowedOrigin(foreign), null);
    assert.equal(foreign.headers.get("Access-Control-Allow-Headers"), null);
  });

  test("every answer names the origin and exposes what a page has to read", async () => {
    const { issuer } = createFixture({ corsOrigins: [PAGE] });
    const json = { "Content-Type": "application/json" };
    const calls: [method: string, path: string, body: string | undefined, status: number][] = [
      ["GET", "/nowhere", undefined, 404],
      ["PUT", "/auth/login", undefined, 405],
      ["POST", "/auth/login", "x".repeat(70_000), 413],
      ["POST", "/auth/login", "{", 400],
      ["GET", "/auth/sessions", undefined, 401],
      ["GET", "/.well-known/jwks.json", undefined, 200],
    ];
    for (const [method, path, body, status] of calls) {
      const response = await sendRequest(issuer, method, path, body, { Origin: PAGE, ...(body && json) });
      assert.equal(response.status, status, path);
      assert.equal(allowedOrigin(response), PAGE);
      assert.equal(response.headers.get("Access-Control-Allow-Credentials"), null);
      assert.match(response.headers.get("Access-Control-Expose-Headers") ?? "", /Retry-After, WWW-Auth/);
    }
    await issuer.close();
    const closed = await sendRequest(issuer, "GET", "/auth/sessions", undefined, { Origin: PAGE });
    assert.deepEqual([closed.status, allowedOrigin(closed)], [503, PAGE]);
  });
});
