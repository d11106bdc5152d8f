import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Region } from "./page-regions.ts";

/** Set to write the expected texts anew. Read the differences before you commit them. */
const isUpdate = process.env["UPDATE_TEXTS"] === "1";
const LIMIT_MS = isUpdate ? 700 : 8_000;

/** The texts that a page is expected to show, as a file of `texts/`. */
export class ExpectedTexts {
  readonly #file: URL;
  readonly #expected: Readonly<Record<string, string>>;
  readonly #seen: Record<string, string> = {};

  constructor(name: string) {
    this.#file = new URL(`texts/${name}.txt`, import.meta.url);
    this.#expected = existsSync(this.#file) ? parse(readFileSync(this.#file, "utf8")) : {};
  }

  /** Waits until the page reads as expected. A failure shows the regions that differ, and no others. */
  async compare(scene: string, read: () => Promise<readonly Region[]>): Promise<void> {
    const wanted = this.#expected[scene] ?? "";
    let shown = await read();
    const deadline = performance.now() + LIMIT_MS;
    while (textOf(shown) !== wanted && performance.now() < deadline) {
      await sleep(50);
      shown = await read();
    }
    this.#seen[scene] = textOf(shown);
    if (isUpdate) return;
    const [actual, expected] = [regions(textOf(shown)), regions(wanted)];
    const differing = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].filter(
      (region) => actual[region]?.join("\n") !== expected[region]?.join("\n"),
    );
    const pick = (all: Readonly<Record<string, readonly string[]>>) =>
      Object.fromEntries(differing.map((region) => [`${scene}, ${region}`, all[region] ?? null]));
    assert.deepEqual(pick(actual), pick(expected));
    assert.equal(textOf(shown), wanted, "the regions have another order");
  }

  /** Checks that every expected scene was shown. */
  finish(): void {
    if (isUpdate) writeFileSync(this.#file, format(this.#seen));
    else assert.deepEqual(Object.keys(this.#seen), Object.keys(this.#expected));
  }
}

function textOf(shown: readonly Region[]): string {
  return shown
    .map(({ name, lines }) => [`== ${name}`, ...lines.map((line) => line.trimEnd())].join("\n"))
    .join("\n\n");
}

function regions(text: string): Record<string, readonly string[]> {
  const found: Record<string, string[]> = {};
  let lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("== ")) found[line.slice(3)] = lines = [];
    else if (line !== "") lines.push(line);
  }
  return found;
}

function format(scenes: Readonly<Record<string, string>>): string {
  return Object.entries(scenes)
    .map(([scene, text]) => `======== ${scene}\n\n${text}\n`)
    .join("\n\n");
}

function parse(text: string): Record<string, string> {
  const parts = text.split(/^======== (.*)\n\n/m).slice(1);
  const scenes: Record<string, string> = {};
  for (let index = 0; index < parts.length; index += 2)
    scenes[parts[index] ?? ""] = (parts[index + 1] ?? "").trimEnd();
  return scenes;
}
