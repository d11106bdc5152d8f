import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { plantedBugs } from "../../sim/planted/bugs.ts";
import { plant } from "../../sim/planted/plant.ts";
import { runPlanted } from "../../sim/planted/run-planted.ts";

const read = (file: string) => readFileSync(new URL(`../../src/${file}`, import.meta.url), "utf8");

test("every planted bug still finds its place in the source, and has a name of its own", () => {
  for (const bug of plantedBugs) assert.notEqual(plant(read(bug.file), bug), read(bug.file));
  assert.ok(plantedBugs.length >= 30);
  assert.equal(new Set(plantedBugs.map(({ name }) => name)).size, plantedBugs.length);
});

test("a bug whose place has moved is refused by name", () => {
  const bug = { name: "a bug", room: "issuer", file: "a.ts", from: "here", to: "there" } as const;
  assert.throws(() => plant("elsewhen", bug), /planted bug "a bug" finds its text 0 times in src\/a\.ts/);
  assert.throws(() => plant("here and here", bug), /2 times/);
  assert.equal(plant("it is here", bug), "it is there");
});

test("the simulator notices planted bugs of several rooms", () => {
  const names = [
    "reuse does not end the session",
    "a signature is not verified",
    "sessions are not looked up",
    "a logout is not in the revocation log",
  ];
  for (const name of names) {
    const [result, ...others] = [...runPlanted(name, { first: 1, seeds: 8, minutes: 10 })];
    assert.deepEqual(others, []);
    assert.ok(result?.found, `${name} was not noticed`);
  }
});

test("a bug whose runs take too long is reported, and the next one is tried", () => {
  const results = [...runPlanted("resilience", { first: 1, seeds: 1, minutes: 1, limitMs: 1 })];
  assert.deepEqual(
    results.map(({ found, problem }) => [found, problem]),
    results.map(() => [null, "the runs took longer than 0.001 s"]),
  );
  assert.ok(results.length > 1);
});

/** The rows of the first table of a section of docs/extend/testing.md. */
function tableOf(heading: string): string[][] {
  const page = readFileSync(new URL("../../docs/extend/testing.md", import.meta.url), "utf8");
  const section = page.split(heading)[1]?.split("\n## ")[0] ?? "";
  const lines = section.split("\n");
  const first = lines.findIndex((line) => line.startsWith("| "));
  const end = lines.findIndex((line, index) => index > first && !line.startsWith("| "));
  return lines.slice(first + 2, end).map((line) => line.slice(2, -2).split(" | "));
}

test("docs/extend/testing.md lists exactly the planted bugs and their forced parts", () => {
  assert.deepEqual(
    tableOf("### Planted bugs").map(([room, name, forced]) => [room, name, forced]),
    plantedBugs.map(({ room, name, forced = [] }) => [room, name, forced.join(", ")]),
  );
});

test("docs/extend/testing.md names for each planted bug one of the first 20 seeds and a check that exists", () => {
  const checks = new Set(tableOf("## The simulation").map(([check]) => check));
  assert.ok(checks.has("losses are announced"));
  for (const [, name, , noticed = ""] of tableOf("### Planted bugs")) {
    const [, seed, check] = /^seed (\d+): (.+)$/.exec(noticed) ?? [];
    assert.ok(Number(seed) >= 1 && Number(seed) <= 20, `${name}: "${noticed}" names no seed up to 20`);
    assert.ok(checks.has(check), `${name}: there is no check "${check}"`);
  }
});
