import assert from "node:assert/strict";
import { test } from "node:test";
import { RouteTemplates } from "../../../src/server/http/route-templates.ts";

const routes = new RouteTemplates(["/", "/auth/sessions", "/auth/sessions/:id", "/verify/*"]);

const found: [target: string, route: string | null][] = [
  ["/", "/"],
  ["/?a=/auth/sessions", "/"],
  ["/auth/sessions", "/auth/sessions"],
  ["/auth/sessions/abc?x", "/auth/sessions/:id"],
  ["/auth/sessions/abc/def", null],
  ["/auth", null],
  ["/verify", "/verify/*"],
  ["/verify?x", "/verify/*"],
  ["/verify/a/b", "/verify/*"],
  ["/verifying", null],
  ["*", null],
  ["http://other.example/auth/sessions", null],
  ["", null],
];

for (const [target, route] of found) {
  test(`the route of "${target}" is ${route ?? "unknown"}`, () => {
    assert.equal(routes.find(target), route);
  });
}
