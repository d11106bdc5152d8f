import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isExactOrigin } from "../../src/core/origin.ts";

test("accepts an exact origin of any scheme that a page can have", () => {
  for (const origin of [
    "https://app.example.com",
    "http://localhost:3000",
    "https://[2001:db8::1]:8443",
    "https://xn--bcher-kva.example",
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "app://-",
    "app://.",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
    "safari-web-extension://3F2504E0-4F89-11D3-9A0C-0305E82C3301",
  ]) {
    assert.equal(isExactOrigin(origin), true, origin);
  }
});

test("refuses wildcards, paths, other spellings and schemes that no page has", () => {
  for (const value of [
    "*",
    "https://*",
    "https://*.preview.example.com",
    "capacitor://*",
    "https://app.example.com/",
    "https://app.example.com/path",
    "https://app.example.com:443",
    "https://App.example.com",
    "HTTPS://app.example.com",
    "https://bücher.example",
    "https://user@app.example.com",
    "https://app.example.com?x",
    "https://app.example.com#x",
    "https://a.example.com,https://b.example.com",
    "https://app.example.com https://b.example.com",
    "capacitor://localhost/",
    "capacitor://localhost:080",
    "capacitor://",
    "capacitor:localhost",
    "app.example.com",
    "null",
    "",
    "file://",
    "file:///index.html",
    "wss://app.example.com",
    "blob:https://app.example.com/x",
    "data:text/html,x",
    "https://app.example.com\r\nX: y",
    undefined,
    null,
    7,
    ["https://app.example.com"],
  ]) {
    assert.equal(isExactOrigin(value), false, String(value));
  }
});

test("accepts a web origin exactly when the URL parser writes it the same way", () => {
  fc.assert(
    fc.property(fc.webUrl(), (url) => {
      const { origin } = new URL(url);
      assert.equal(isExactOrigin(origin), true);
      assert.equal(isExactOrigin(url), url === origin);
    }),
  );
});
