import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { systemEntropy } from "../../src/core/entropy.ts";

const src = new URL("../../src/", import.meta.url);

/** The files that may import chance or timers of Node. The linter has the same list for globals, with the other rooms. */
const ALLOWED = ["core/entropy.ts"];
/** Rooms of the browser, commands that run once against real parts, and the world that replaces the platform. */
const EXEMPT = /^(?:client|dashboard|cli|doctor|drill|testing\/simulation)\//;

const RAW =
  /import[^;]*\b(?:random\w+|webcrypto)\b[^;]*from "node:crypto"|from "node:timers|crypto\.getRandomValues/;

test("only core/entropy.ts imports chance from Node, and no file imports timers, so that a simulation replaces both", () => {
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.replaceAll("\\", "/"));
  assert.ok(files.length > 400);
  const raw = files.filter(
    (file) => !EXEMPT.test(file) && RAW.test(readFileSync(new URL(file, src), "utf8")),
  );
  assert.deepEqual(raw, ALLOWED);
});

test("the entropy of the system repeats nothing", () => {
  const drawn = Array.from({ length: 100 }, () => [
    systemEntropy.bytes(16).toString("hex"),
    systemEntropy.uuid(),
  ]);
  assert.equal(new Set(drawn.flat()).size, 200);
  assert.equal(systemEntropy.bytes(0).length, 0);
});

test("the entropy of the system has no bytes in common with what was drawn before, at any length", () => {
  const lengths = Array.from({ length: 400 }, (_, i) => 9 + (i % 80));
  const drawn = lengths.map((length) => systemEntropy.bytes(length));
  assert.deepEqual(
    drawn.map(({ length }) => length),
    lengths,
  );
  const texts = new Set(drawn.map((piece) => piece.toString("hex").slice(0, 18)));
  assert.equal(texts.size, lengths.length);
  // A caller that overwrites its piece changes no other one.
  const [first, second] = [systemEntropy.bytes(16), systemEntropy.bytes(16)];
  const copy = Buffer.from(second);
  first.fill(0);
  assert.deepEqual(second, copy);
  assert.ok(drawn.every((piece) => piece.some((byte) => byte !== 0)));
});
