import assert from "node:assert/strict";
import { createHmac, hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { TokenNames } from "../../../src/guard/pipeline/token-names.ts";
import { createGuard, introspection, staticKeys } from "../../../src/index.ts";
import { createMint } from "../../../src/testing/index.ts";
import { waitUntil } from "../../support/deadline.ts";
import { SharedMap } from "../shared/shared-map.ts";

const sha256 = (text: string) => hash("sha256", text, "binary");
const noWebAssembly = () => {
  throw new EvalError("code generation is disallowed");
};

test("a name is stable, and differs between two keys", () => {
  const [names, others] = [new TokenNames(), new TokenNames()];
  const token = "a".repeat(24);
  assert.equal(names.nameOf(token).length, 16);
  assert.equal(names.nameOf(token), names.nameOf("a".repeat(24)));
  assert.notEqual(names.nameOf(token), others.nameOf(token));
});

test("the name covers the whole token: each other character, order or length gives another name", () => {
  const names = new TokenNames();
  const text = fc.string({ unit: "grapheme-ascii", minLength: 24, maxLength: 300 });
  fc.assert(
    fc.property(text, fc.nat(), fc.string({ minLength: 1, maxLength: 9 }), (token, place, more) => {
      const name = names.nameOf(token);
      const at = place % token.length;
      const changed = token.charCodeAt(at) === 0x78 ? "y" : "x";
      assert.notEqual(names.nameOf(token.slice(0, at) + changed + token.slice(at + 1)), name);
      assert.notEqual(names.nameOf(token + more), name);
      assert.notEqual(names.nameOf(more + token), name);
      assert.equal(names.nameOf(token), name);
    }),
  );
});

test("a character beyond Latin-1 is not cut to its low byte, and no text beyond ASCII has a keyed name", () => {
  const names = new TokenNames();
  const token = "A".repeat(40);
  for (const other of ["\u0141", "\u00c1", "\u{1f141}", "\ud841", "\udc41"]) {
    const similar = token.slice(1) + other;
    assert.equal(names.nameOf(similar), sha256(similar));
    assert.notEqual(names.nameOf(similar), names.nameOf(token));
  }
});

test("a token that could be guessed keeps its SHA-256, and so does one longer than the memory", () => {
  const names = new TokenNames();
  for (const token of ["", "a", "a".repeat(23), "a".repeat(65_465), "a".repeat(1_000_000)]) {
    assert.equal(names.nameOf(token), sha256(token));
  }
  for (const token of ["a".repeat(24), "a".repeat(65_464)]) assert.equal(names.nameOf(token).length, 16);
});

test("without WebAssembly every token keeps its SHA-256", () => {
  const names = new TokenNames(noWebAssembly);
  for (const token of ["a", "a".repeat(24), "a".repeat(2_000)])
    assert.equal(names.nameOf(token), sha256(token));
});

test("law 5: an opaque token is named by its SHA-256 where other processes read it", async () => {
  const shared = new SharedMap();
  const purposes: string[] = [];
  const deriveKey = (purpose: string) => {
    purposes.push(purpose);
    return shared.deriveKey(purpose);
  };
  const guard = createGuard({
    issuer: "https://id.example.com",
    audience: "a",
    keys: staticKeys((await createMint({ issuer: "i", audience: "a" })).jwks()),
    authority: introspection({
      url: "https://id.example.com/introspect",
      clientId: "guard",
      clientSecret: "secret-of-the-guard",
      opaque: true,
      fetch: async () =>
        Response.json({ active: true, sub: "s", aud: "a", exp: Math.ceil(Date.now() / 1000) + 600 }),
    }),
    shared: { description: "a map", timeoutMs: 50, deriveKey, open: (options) => shared.open(options) },
  });
  const token = "opaque-token-of-more-than-24-characters";
  assert.equal((await guard.validate(token)).status, "valid");
  await waitUntil(async () => shared.kept.size > 0, "the write in the background");
  await guard.close();
  const namesOfKey = (purpose: string) =>
    createHmac("sha256", shared.deriveKey(purpose))
      .update(`opaque ${sha256(token)}`)
      .digest("base64url");
  const expected = new Set(purposes.map(namesOfKey));
  assert.equal(shared.kept.size, 1);
  for (const name of shared.kept.keys()) assert.ok(expected.has(name));
});
