import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalizePath, readPath } from "../../src/gateway/normalize-path.ts";

const plain: [target: string, path: string][] = [
  ["/", ""],
  ["/?a=//..;", ""],
  ["/orders/7", "/orders/7"],
  ["/orders/", "/orders"],
  ["/orders/?x", "/orders"],
  ["/%6frders/caf%C3%A9", "/orders/café"],
  ["/a%20b%3A%40", "/a b:@"],
  ["/100%25", "/100%"],
  ["/.well-known/a...", "/.well-known/a..."],
  ["/%EF%BC%B7%C2%BD", "/Ｗ½"],
  ["/a(1),b;".slice(0, -1), "/a(1),b"],
];
for (const [target, path] of plain) {
  test(`${target} is compared as ${JSON.stringify(path)}`, () => assert.equal(normalizePath(target), path));
}

const ambiguous = [
  ["", "*", "orders", "?", "http://api.example/orders", "//", "//orders", "/orders//7", "/orders//"],
  ["/.", "/..", "/../admin", "/orders/./7", "/orders/..", "/orders/%2e%2e/admin", "/orders%2E", "/%2e"],
  ["/orders%2f7", "/orders%2F7", "/orders%5cadmin", "/orders\\admin", "/orders;v=1/7", "/orders%3b"],
  ["/orders%00", "/orders%0d%0aX", "/orders%1f", "/orders%7F", "/orders\0", "/orders\t", "/orders 7"],
  ["/%", "/%4", "/%zz", "/%c3", "/%c0%af", "/%ff", "/%252e%252e/admin", "/%2561", "/café", "/orders#x"],
  [
    "/...",
    "/orders/..%20/7",
    "/%20../7",
    "/%20",
    "/%EF%BC%8E%EF%BC%8E/7",
    "/..%EF%BC%8Fadmin",
    "/a%EF%BC%8Fb",
  ],
  ["/a%EF%BC%9Bb", "/a%EF%BC%BCb", "/%E2%80%A5/admin", "/orders%"],
  ["/orders%", '/"', "/<", "/{x}", "/`", "/^", "/%C2%85"],
].flat();
for (const target of ambiguous) {
  test(`fault 55: ${JSON.stringify(target)} is refused as ambiguous`, () =>
    assert.equal(normalizePath(target), null));
}

const readings: [target: string, paths: readonly string[] | null][] = [
  ["/orders/7?a=%2F", ["/orders/7"]],
  ["/@babel%2fcore", ["/@babel\uffffcore", "/@babel/core", "/@babel/core"]],
  ["/api/queues/%2F/orders", ["/api/queues/\uffff/orders", "/api/queues///orders", "/api/queues/orders"]],
  ["/%2Fadmin", ["/\uffffadmin", "//admin", "/admin"]],
  ["/caf%C3%A9%2F", ["/café\uffff", "/café", "/café"]],
  ["/x/..%2fadmin", null],
  ["/x%2f..%2fadmin", null],
  ["/x%2f%2e%2e/admin", null],
  ["/a%2f.", null],
  ["/a%2fb%5cc", null],
  ["/a%252fb", null],
  ["/a%2f%", null],
  ["/a//b%2fc", null],
  [`/${"a".repeat(8192)}`, null],
];
for (const [target, paths] of readings) {
  test(`fault 55: ${target.slice(0, 40)} has ${paths === null ? "no safe reading" : `the readings ${paths.join(" ")}`}`, () =>
    assert.deepEqual(readPath(target), paths));
}

test("fault 55: however a server decodes, merges and resolves an accepted path, it gets one of the readings", () => {
  const character = fc.constantFrom("a", "A", ".", "/", "%2f", "%2F", "%2e", "%41", "..", "b", ";", "%5c");
  fc.assert(
    fc.property(fc.array(character, { maxLength: 12 }), (characters) => {
      const target = `/${characters.join("")}`;
      const paths = readPath(target);
      if (paths === null) return;
      const trim = (path: string) => path.replace(/\/$/, "");
      const decoded = decodeURIComponent(target);
      const resolved = decodeURIComponent(
        new URL(decoded.replaceAll(/\/+/g, "/"), "http://a.example").pathname,
      );
      assert.ok(paths.includes(trim(decoded)), decoded);
      assert.ok(paths.includes(trim(resolved)), resolved);
    }),
    { numRuns: 20_000 },
  );
});

test("fault 55: an accepted path stays the same under decoding and resolving by any server", () => {
  const character = fc.constantFrom(
    ..."aA.%/;\\2eEfF5cC03bB é*~?#\0".split(""),
    "%2e",
    "%2F",
    "%41",
    "%25",
    "..",
  );
  fc.assert(
    fc.property(fc.array(character, { maxLength: 12 }), (characters) => {
      const target = `/${characters.join("")}`;
      const path = normalizePath(target);
      if (path === null) return;
      assert.doesNotMatch(path, /\/\/|\\|;|\/\.{1,2}(?:\/|$)|\p{Cc}|%[\da-f]{2}/iu);
      const { pathname } = new URL(target, "http://a.example");
      assert.equal(decodeURIComponent(pathname).replace(/\/$/, ""), path);
    }),
    { numRuns: 20_000 },
  );
});
