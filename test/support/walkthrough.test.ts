import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { followPage } from "./walkthrough/follow-page.ts";

/** Follows a page with this text. */
async function follow(t: TestContext, lines: readonly string[], tab?: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-page-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const page = join(folder, "page.md");
  await writeFile(page, lines.join("\n"));
  await followPage(page, { npmFolder: folder, ...(tab === undefined ? {} : { tab }) });
}

const block = (info: string, ...lines: string[]) => [`\`\`\`${info}`, ...lines, "```", ""];
const server = block(
  "js",
  "// server.js",
  'const { createServer } = require("node:http");',
  "const server = createServer((req, res) => res.writeHead(req.url === '/' ? 200 : 404).end('hello'));",
  'server.listen(3000, "127.0.0.1", () => console.log("listening on 3000"));',
);
const started = [...block("sh start", "node server.js"), ...block("text output", "listening on 3000")];

test("a page whose commands do what it says is followed, from file to Ctrl-C", async (t) => {
  await follow(t, [
    ...block("sh run", "mkdir app && cd app", "NAME=elsewhere"),
    ...server,
    ...started,
    ...block("sh run", "curl -i http://127.0.0.1:3000/ # 200", "curl -i http://127.0.0.1:3000/$NAME # 404"),
    ...block("text output", "HTTP/1.1 200 OK", "Date: …", "hello"),
    "<!-- stop: node server.js -->",
    ...block("sh run", "curl http://127.0.0.1:3000/ || echo 'it has stopped'"),
    ...block("text output", "it has stopped"),
  ]);
});

test("the reader takes the tab of one label, and what has none", async (t) => {
  const page = [
    ...block("sh run [One]", "echo 1 > one"),
    ...block("sh run [Two]", "false"),
    ...block("sh run", "cat one"),
    ...block("text output", "1"),
  ];
  await follow(t, page, "One");
  await assert.rejects(follow(t, page, "Two"), /exit code 1 of: false/);
});

const wrong: [what: string, page: string[], complaint: RegExp][] = [
  [
    "another status",
    [...server, ...started, ...block("sh run", "curl -i http://127.0.0.1:3000/x # 200")],
    /404/,
  ],
  ["a command that fails", block("sh run", "true", "exit_with_an_error"), /page\.md:1: exit code 127/],
  ["another output", [...block("sh run", "echo one"), ...block("text output", "two")], /expected:\ntwo/],
  [
    "lines in another order",
    [...block("sh run", "echo b; echo a"), ...block("text output", "a", "b")],
    /printed:\nb\na/,
  ],
  [
    "a program that ends at once",
    [...block("sh start", "echo bye"), ...block("text output", "listening")],
    /echo bye ended:\nbye/,
  ],
  ["a start without output", block("sh start", "cat"), /does not show how the program starts/],
  ["a block that is no step", block("sh", "echo"), /page\.md:1: the block is no step/],
  ["a browser step that no test has", ["<!-- browser: click -->"], /no browser step "click"/],
];
for (const [what, page, complaint] of wrong) {
  test(`a page with ${what} is refused with its line`, async (t) => {
    await assert.rejects(follow(t, page), complaint);
  });
}
