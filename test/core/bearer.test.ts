import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { bearerChallenge, readBearer, refuseBearer, stepUpChallenge } from "../../src/core/bearer.ts";

const reading: [readonly string[] | undefined, ReturnType<typeof readBearer>][] = [
  [undefined, { status: "none" }],
  [[], { status: "none" }],
  [[""], { status: "none" }],
  [["Basic dXNlcjpwYXNz"], { status: "none" }],
  [["Bearerabc"], { status: "none" }],
  [["Bearer a.b-c_d~e+f/g=="], { status: "token", token: "a.b-c_d~e+f/g==" }],
  [["bEaReR  abc"], { status: "token", token: "abc" }],
  [["Bearer"], { status: "malformed" }],
  [["Bearer "], { status: "malformed" }],
  [["Bearer\tabc"], { status: "malformed" }],
  [["Bearer,abc"], { status: "malformed" }],
  [["Bearer-x abc"], { status: "none" }],
  [["Bearer a b"], { status: "malformed" }],
  [["Bearer a,b"], { status: "malformed" }],
  [["Bearer a, Bearer b"], { status: "malformed" }],
  [["Bearer a=b"], { status: "malformed" }],
  [["Bearer é"], { status: "malformed" }],
  [["Bearer a", "Bearer a"], { status: "malformed" }],
  [["Basic x", "Bearer a"], { status: "malformed" }],
  [["Basic x, Bearer a"], { status: "malformed" }],
  [["Bearer a, Basic x"], { status: "malformed" }],
  [["Basic x,bearer"], { status: "malformed" }],
  [['Digest username="a", realm="b"'], { status: "none" }],
];
for (const [values, expected] of reading) {
  test(`Authorization ${JSON.stringify(values)} reads as ${expected.status}`, () => {
    assert.deepEqual(readBearer(values), expected);
  });
}

/** A field value as clients, attackers and proxies send it. */
const fieldValue = fc
  .oneof(
    fc.tuple(
      fc.constantFrom("Bearer", "bEARER", "Basic", "Digest", ""),
      fc.stringMatching(/^ *[\w.=,+/~-]* *$/),
    ),
    fc.tuple(fc.constantFrom("Bearer ", "Basic "), fc.stringMatching(/^[\w.-]+$/)),
  )
  .map((parts) => parts.join("").trim());

test("readBearer returns a token only from a single value that contains nothing else", () => {
  fc.assert(
    fc.property(fc.array(fieldValue, { maxLength: 3 }), (values) => {
      const presented = readBearer(values);
      if (presented.status !== "token") return;
      assert.equal(values.length, 1);
      assert.match(presented.token, /^[\w\-.~+/]+=*$/);
      assert.equal(values[0]?.replace(/^bearer +/i, ""), presented.token);
    }),
  );
});

test("two values that were joined on the way are malformed when one of them has the scheme Bearer", () => {
  const token = fc.stringMatching(/^[\w.-]+$/);
  fc.assert(
    fc.property(fieldValue, token, fc.boolean(), (other, mine, first) => {
      const values = first ? [`Bearer ${mine}`, other] : [other, `Bearer ${mine}`];
      assert.equal(readBearer([values.join(", ")]).status, "malformed");
    }),
  );
});

test("a challenge names the realm, and the error and scopes where there are any (RFC 6750 §3)", () => {
  assert.equal(bearerChallenge({ realm: "api" }), 'Bearer realm="api"');
  assert.equal(
    bearerChallenge({ realm: "api" }, "invalid_token"),
    'Bearer realm="api", error="invalid_token"',
  );
  assert.equal(
    bearerChallenge({ realm: "api", scopes: ["a", "b:c"] }, "insufficient_scope"),
    'Bearer realm="api", error="insufficient_scope", scope="a b:c"',
  );
});

test("no scope can break out of the challenge", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (scopes) => {
      const challenge = bearerChallenge({ realm: "api", scopes }, "insufficient_scope");
      assert.match(challenge, /^Bearer realm="api", error="insufficient_scope", scope="[ !#-[\]-~]*"$/);
    }),
  );
});

test("a request without a token gets a challenge without an error code (RFC 6750 §3.1)", () => {
  assert.deepEqual(refuseBearer({ realm: "api" }, "none"), {
    status: 401,
    error: "unauthorized",
    description: "A bearer token is needed.",
    challenge: 'Bearer realm="api"',
  });
});

test("a malformed presentation is 400 invalid_request, and an invalid token 401 invalid_token", () => {
  for (const [status, code, error] of [
    ["malformed", 400, "invalid_request"],
    ["invalid", 401, "invalid_token"],
  ] as const) {
    const refusal = refuseBearer({ realm: "auth" }, status);
    assert.deepEqual([refusal.status, refusal.error], [code, error]);
    assert.equal(refusal.challenge, `Bearer realm="auth", error="${error}"`);
  }
});

test("a challenge names the scopes and the metadata of its resource", () => {
  const resourceMetadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
  const parameters = { realm: "mcp", scopes: ["tools"], resourceMetadata };
  const { challenge } = refuseBearer(parameters, "none");
  assert.equal(challenge, `Bearer realm="mcp", scope="tools", resource_metadata="${resourceMetadata}"`);
  const forbidden = bearerChallenge(parameters, "insufficient_scope");
  assert.match(forbidden, /error="insufficient_scope", scope="tools", resource_metadata="https/);
  assert.ok(
    stepUpChallenge(parameters, 60_000).endsWith(`max_age="60", resource_metadata="${resourceMetadata}"`),
  );
});

test("no parameter of a challenge can end its quoted string", () => {
  const hostile = 'a"\r\nX: y\\';
  const challenge = bearerChallenge({ realm: hostile, scopes: [hostile], resourceMetadata: hostile });
  assert.equal(challenge, 'Bearer realm="aX: y", scope="aX: y", resource_metadata="aX: y"');
});
