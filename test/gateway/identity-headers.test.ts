import assert from "node:assert/strict";
import { test } from "node:test";
import { hasIdentityHeader } from "../../src/gateway/identity-headers.ts";

test("fault 77: an identity header of a client is recognised in every spelling, also an empty one", () => {
  for (const name of ["subject", "Scopes", "SESSION", "issuer", "Degraded"]) {
    for (const [a, b] of ["--", "__", "-_", "..", "-."]) {
      assert.ok(hasIdentityHeader(["Host", "api.example", `X${a}Auth${b}${name}`, ""]), name);
    }
  }
  const others = [
    "X-Auth",
    "X-Auth-Token",
    "X-Auth-Subjects",
    "XX-Auth-Subject",
    "Authorization",
    "X-Authsubject",
  ];
  for (const name of others) assert.ok(!hasIdentityHeader([name, "x-auth-subject"]), name);
});
