import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerResponse } from "../../../src/adapters/http/bearer-response.ts";
import type { Decision, InvalidReason } from "../../../src/core/verdict.ts";

const valid: Decision = {
  status: "valid",
  claims: {},
  subject: "alice",
  scopes: [],
  expiresAt: 1,
  basis: "verification",
  from: "verification",
  degraded: null,
  revocationAgeMs: null,
};

test("maps a valid decision to 200 and leaves the body to the application", () => {
  const { status, headers, body } = bearerResponse(valid);
  assert.deepEqual({ status, body }, { status: 200, body: null });
  assert.deepEqual(headers, {});
});

test("law 10: declares a decision without the authority, and its cause", () => {
  const { status, headers } = bearerResponse({
    ...valid,
    degraded: { cause: "authority_slow", sinceMs: 90 },
  });
  assert.deepEqual({ status, headers }, { status: 200, headers: { "X-Auth-Degraded": "authority_slow" } });
});

test("maps a missing token to 401 with a challenge and without an error code", () => {
  const { status, headers } = bearerResponse({ status: "none" });
  assert.equal(status, 401);
  assert.equal(headers["WWW-Authenticate"], 'Bearer realm="api"');
});

test("maps a malformed header to 400 invalid_request", () => {
  const { status, headers, body } = bearerResponse({ status: "malformed" });
  assert.equal(status, 400);
  assert.equal(body?.error, "invalid_request");
  assert.match(headers["WWW-Authenticate"] ?? "", /error="invalid_request"/);
});

test("maps every invalid reason to the same 401 invalid_token", () => {
  const told = (reason: InvalidReason) => bearerResponse({ status: "invalid", reason });
  for (const reason of ["expired", "bad_signature", "revoked", "unknown_key", "wrong_audience"] as const) {
    assert.equal(told(reason).status, 401);
    assert.match(told(reason).headers["WWW-Authenticate"] ?? "", /error="invalid_token"$/);
    assert.deepEqual(told(reason), told("malformed"), `${reason} must look like any other reason`);
  }
});

test("law 1: maps unavailable to 503 with Retry-After in whole seconds, at least one, and no challenge", () => {
  for (const [ms, seconds] of [
    [0, "1"],
    [1, "1"],
    [1000, "1"],
    [1001, "2"],
    [60_000, "60"],
  ] as const) {
    const decision = { status: "unavailable", cause: "keys_unavailable", retryAfterMs: ms } as const;
    const { status, headers, body } = bearerResponse(decision);
    assert.equal(status, 503);
    assert.equal(headers["Retry-After"], seconds);
    assert.equal(headers["WWW-Authenticate"], undefined);
    assert.equal(body?.error, "temporarily_unavailable");
  }
});

test("maps forbidden to 403 with the required scopes, and removes characters that would end the header value", () => {
  const { status, headers } = bearerResponse({ status: "forbidden", missing: ["b"] }, ["a", 'b"\r\nX: y\\']);
  assert.equal(status, 403);
  assert.equal(
    headers["WWW-Authenticate"],
    'Bearer realm="api", error="insufficient_scope", scope="a bX: y"',
  );
});

test("no refusal may be cached", () => {
  const refusals = [
    bearerResponse({ status: "none" }),
    bearerResponse({ status: "malformed" }),
    bearerResponse({ status: "invalid", reason: "expired" }),
    bearerResponse({ status: "forbidden", missing: [] }),
    bearerResponse({ status: "unavailable", cause: "closed", retryAfterMs: 0 }),
  ];
  assert.deepEqual(
    refusals.map(({ headers }) => headers["Cache-Control"]),
    refusals.map(() => "no-store"),
  );
});
