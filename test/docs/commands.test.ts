import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { test } from "node:test";
import { commands } from "../../src/cli/run.ts";
import { settingDefinitions } from "../../src/server/setting-definitions.ts";
import { codeBlocks, documentationPages } from "../support/code-blocks.ts";

interface CommandLine {
  /** Where the line stands. */
  readonly place: string;
  readonly words: readonly string[];
}

/** The commands of `holdfast` in the shell blocks of all pages. A command may be anywhere in a line of the shell. */
function commandLines(): CommandLine[] {
  return documentationPages()
    .flatMap(codeBlocks)
    .filter(({ language }) => ["sh", "bash", "console"].includes(language))
    .flatMap(({ page, line, code }) =>
      code.split("\n").flatMap((text, i) => {
        const [, rest] =
          /(?:^|[\s;&|(])holdfast (?!holdfast\b)([a-z-][^#|<>;&)]*)/.exec(text.replace(/#.*$/, "")) ?? [];
        // An expansion of the shell has blanks, and an installed package is no command.
        if (rest === undefined || /npm (?:install|view|pack)/.test(text)) return [];
        const words = rest
          .replaceAll(/\$\([^)]*\)?|"[^"]*"/g, "VALUE")
          .trim()
          .split(/\s+/);
        return [{ place: `${page}:${line + i}`, words }];
      }),
    );
}

test("every command of holdfast in a page is one that the command line understands", () => {
  const lines = commandLines();
  assert.ok(lines.length >= 40);
  for (const { place, words } of lines) {
    if (["--help", "--version"].includes(words[0] ?? "")) continue;
    const command = commands.find(({ name }) => name === words.slice(0, name.split(" ").length).join(" "));
    assert.ok(command !== undefined, `${place}: holdfast ${words.join(" ")}`);
    const options = Object.entries(command.options ?? {}).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const), multiple: true },
    ]);
    const args = words.slice(command.name.split(" ").length);
    assert.doesNotThrow(
      () =>
        parseArgs({
          args,
          options: Object.fromEntries(options),
          allowPositionals: command.operands.length > 0,
        }),
      `${place}: holdfast ${words.join(" ")}`,
    );
  }
});

test("every setting in a shell block of a page is one that the service reads", () => {
  const isSetting = (name: string) =>
    name.replace(/_FILE$/, "") in settingDefinitions || name in settingDefinitions;
  const blocks = documentationPages().flatMap(codeBlocks);
  const named = blocks.flatMap(({ page, line, code }) =>
    [...code.matchAll(/\b((?:HOLDFAST|REDIS|ALLOW)_[A-Z_]+)=/g)].map(
      ([, name = ""]) => [`${page}:${line}`, name] as const,
    ),
  );
  assert.ok(named.length >= 20);
  for (const [place, name] of named) assert.ok(isSetting(name), `${place}: ${name}`);
});
