import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { waitForExit } from "../support/child-exit.ts";
import { codeBlocks, documentationPages } from "../support/code-blocks.ts";

/*
 * Express 5 calls the callback of `listen` with an error, too, for example when the port is in use. Node, Koa, Hono and
 * NestJS do not, and Fastify rejects.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Program {
  readonly name: string;
  readonly code: string;
}

/** The programs of Express in the documentation and in the examples. A diff counts as the lines that remain after it. */
function expressPrograms(): Program[] {
  const shown = documentationPages()
    .flatMap(codeBlocks)
    .map(({ page, line, language, code }) => ({
      name: `${page}:${line}`,
      code: language === "diff" ? code.replaceAll(/^-.*\n/gm, "").replaceAll(/^[ +]/gm, "") : code,
    }));
  const files = globSync("examples/**/*.{js,ts}", { cwd: root, exclude: ["**/node_modules/**"] });
  const run = files.map((name) => ({ name, code: readFileSync(root + name, "utf8") }));
  return [...shown, ...run].filter(({ code }) => /\bexpress\(\)/.test(code));
}

test("every program of Express throws the error that the callback of listen gets", () => {
  const listening = expressPrograms().filter(({ code }) => /\.listen\([^;]*=>/.test(code));
  assert.ok(listening.length >= 20, `only ${listening.length} programs listen`);
  for (const { name, code } of listening) {
    assert.match(code, /\.listen\([^;()]*\(error\) => \{\s*if \(error\) throw error;/, name);
  }
});

test("the example of Express ends with the error when its port is in use, and does not say that it listens", async (t) => {
  const occupied = createServer().listen(0, "127.0.0.1");
  t.after(() => occupied.close());
  await once(occupied, "listening");
  const { port } = occupied.address() as AddressInfo;
  const child = spawn(process.execPath, ["--conditions=holdfast-source", "examples/express/server.ts"], {
    cwd: root,
    env: { ...process.env, PORT: String(port), AUTH_PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [printed, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(await waitForExit(child, "the example of Express"), 1);
  assert.match(errors, /EADDRINUSE/);
  assert.doesNotMatch(printed, /API:/);
});
