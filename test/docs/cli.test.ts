import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { cliReference } from "../../scripts/cli-reference.ts";
import { run } from "../../src/cli/run.ts";

const page = readFileSync(new URL("../../docs/reference/cli.md", import.meta.url), "utf8");

async function helpOf(t: TestContext, command: string): Promise<string> {
  const log = t.mock.method(console, "log", () => {});
  await run([...command.split(" ").filter((word) => word !== ""), "--help"]);
  log.mock.restore();
  return log.mock.calls.map(({ arguments: [line] }) => String(line)).join("\n");
}

test("docs/reference/cli.md is what `node scripts/cli-reference.ts` writes", () => {
  assert.equal(page, cliReference());
});

test("docs/reference/cli.md has every command of the help, with each of its options and examples", async (t) => {
  const overview = await helpOf(t, "");
  const listed = /\[OPTIONS\]\n\n([^]*?)\n\n/.exec(overview)?.[1] ?? "";
  const names = [...listed.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2}/gm)].map(([, name = ""]) => name);
  const sections = new Map(
    page.split("\n## ").map((section) => [/^`holdfast (.*)`/.exec(section)?.[1] ?? "", section]),
  );
  assert.ok(names.length > 20);
  assert.deepEqual(
    [...sections.keys()].filter((name) => name !== ""),
    names,
  );
  for (const name of names) {
    const help = await helpOf(t, name);
    const section = sections.get(name) ?? "";
    for (const [, option = ""] of help.matchAll(/^ {2}(--[a-z-]+)/gm)) {
      if (option !== "--help") assert.ok(section.includes(`| \`${option}`), `${name} ${option}`);
    }
    const examples = /Examples:\n([^]*?)(?:\n\n|$)/.exec(help)?.[1]?.split("\n") ?? [];
    for (const example of examples) assert.ok(section.includes(`\n${example.trim()}\n`), example);
  }
});
