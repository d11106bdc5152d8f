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
