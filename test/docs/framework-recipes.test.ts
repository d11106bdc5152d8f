import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { waitForExit } from "../support/child-exit.ts";
import { waitUntil } from "../support/deadline.ts";
import { freePort } from "../support/free-port.ts";
import { linkPackages } from "../support/link-packages.ts";

/*
 * Each program of docs/frameworks is written into a folder as its page shows it. Its own tests run there, and then its
 * server, whose provider cannot be reached.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);
const node = [process.execPath, "--no-warnings", "--conditions=holdfast-source"] as const;

interface Recipe {
  readonly page: string;
  readonly testFile: string;
  /** `null` for a framework that starts the server itself. */
  readonly server: string | null;
}

const plain = { testFile: "app.test.mjs", server: "server.mjs" };
const recipes: readonly Recipe[] = [
  { page: "express", ...plain },
  { page: "fastify", ...plain },
  { page: "hono", ...plain },
  { page: "koa", ...plain },
  { page: "node-http", ...plain },
  { page: "nestjs", testFile: "app.test.js", server: "main.js" },
  { page: "next", testFile: "orders.test.mjs", server: null },
];

/** The code blocks of the page whose first line is the name of a file. TypeScript becomes JavaScript. */
async function files(page: string): Promise<[name: string, code: string][]> {
  const text = readFileSync(join(root, `docs/frameworks/${page}.md`), "utf8");
  const blocks = [...text.matchAll(/^```(?:js|ts)[^\n]*\n\/\/ (\S+\.m?[jt]s)\n(.*?)^```/gms)];
  return await Promise.all(
    blocks.map(async ([, name = "", code = ""]): Promise<[string, string]> => {
      if (!name.endsWith(".ts")) return [name, code];
      const tsconfigRaw = { compilerOptions: { experimentalDecorators: true } };
      const compiled = await transform(code, { loader: "ts", tsconfigRaw });
      return [name.replace(/ts$/, "js"), compiled.code];
    }),
  );
}

/** Writes the program of the page into a folder in which its packages are installed. */
async function writeProgram(t: TestContext, page: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-framework-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  linkPackages(join(folder, "node_modules"));
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (!name.startsWith("."))
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const [name, code] of await files(page)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), code);
  }
  return folder;
}

for (const { page, testFile, server } of recipes) {
  test(`the tests that docs/frameworks/${page}.md shows pass`, async (t) => {
    const folder = await writeProgram(t, page);
    const [binary, ...flags] = node;
    const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
    const options = { cwd: folder, env };
    const { stdout } = await run(binary, [...flags, "--test", "--test-reporter=tap", testFile], options);
    assert.match(stdout, /^# pass 3$/m);
    assert.match(stdout, /^# fail 0$/m);
  });

  if (server === null) continue;
  test(`the server of docs/frameworks/${page}.md refuses a request without a token, and ends on SIGTERM`, async (t) => {
    const folder = await writeProgram(t, page);
    const port = String(await freePort());
    const [binary, ...flags] = node;
    const env = { PATH: process.env["PATH"], PORT: port };
    const child = spawn(binary, [...flags, server], { cwd: folder, env, stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    const answers = async () => (await get("/health").catch(() => 0)) === 200;
    await waitUntil(answers, `an answer of the server of ${page}`, 60_000);
    assert.equal(await get("/orders"), 401);
    child.kill("SIGTERM");
    const end = await waitForExit(child, `the server of ${page}`);
    assert.ok(end === 0 || end === "SIGTERM", `the server ended with ${end}`);
  });
}

test("docs/frameworks has a test for each page of a framework", () => {
  const others = ["commonjs.md", "fetch.md", "index.md", "mcp.md"];
  const pages = readdirSync(join(root, "docs/frameworks")).filter((name) => !others.includes(name));
  assert.deepEqual(pages.toSorted(), recipes.map(({ page }) => `${page}.md`).toSorted());
});

/** A program with `problems` and `protect`, which asks itself for a path. `/text` is a 404 without `protect`. */
const problemPrograms: Readonly<Record<string, string>> = {
  fastify: `
    import { fastify } from "fastify";
    const app = fastify();
    app.addHook("onSend", problems);
    app.get("/", { onRequest: protect(guard) }, async () => "ok");
    app.get("/text", async (request, reply) => reply.code(404).send("nothing here"));
    const ask = async (path) => {
      const { statusCode, headers, body } = await app.inject(path);
      return new Response(body, { status: statusCode, headers });
    };`,
  hono: `
    import { Hono } from "hono";
    const app = new Hono().use(problems).use("/", protect(guard)).get("/", (c) => c.text("ok"));
    const ask = async (path) => await app.request(path);`,
  koa: `
    import Koa from "koa";
    import { once } from "node:events";
    const app = new Koa();
    const guarded = protect(guard);
    app.use(problems).use(async (ctx, next) => { if (ctx.path === "/") await guarded(ctx, next); });
    const server = app.listen(0);
    await once(server, "listening");
    const ask = async (path) => await fetch("http://127.0.0.1:" + server.address().port + path);`,
};

for (const [page, program] of Object.entries(problemPrograms)) {
  test(`the error format that docs/frameworks/${page}.md shows keeps status and challenge, and the status of a missing page`, async (t) => {
    const folder = await writeProgram(t, page);
    const code = `
      import { createGuard, staticKeys } from "holdfast-guard";
      import { createMint } from "holdfast-guard/testing";
      import { protect } from "holdfast-guard/${page}";
      import { problems } from "./problems.mjs";
      const mint = await createMint({ issuer: "https://id.example.com", audience: "orders" });
      const guard = createGuard({ issuer: mint.issuer, audience: "orders", keys: staticKeys(mint.jwks()) });
      ${program}
      const response = await ask("/");
      const shown = ["content-type", "www-authenticate"].map((name) => response.headers.get(name));
      console.log(JSON.stringify([response.status, ...shown, await response.json(), (await ask("/text")).status]));
      process.exit();`;
    writeFileSync(join(folder, "program.mjs"), code);
    const [binary, ...flags] = node;
    const { stdout } = await run(binary, [...flags, "program.mjs"], { cwd: folder });
    const problem = { title: "unauthorized", status: 401 };
    const challenge = 'Bearer realm="api"';
    assert.deepEqual(JSON.parse(stdout), [401, "application/problem+json", challenge, problem, 404]);
  });
}
