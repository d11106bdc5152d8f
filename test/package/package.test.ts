import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { readFile, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startService } from "../support/service-process.ts";
import { isRegistryOnline } from "../support/packed-packages.ts";
import { exportsOf, installPacked, loadedModules, root, run, type Consumer } from "./consumer.ts";

const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
  version: string;
  exports: Record<string, unknown>;
};
const subpaths = Object.keys(manifest.exports).filter((path) => path !== "./package.json");
/** The entries for frameworks that the consumer installs. The package does not contain them. */
const needing = ["./client/react", "./fastify", "./fastify-websocket", "./nestjs"];
const alone = subpaths.filter((path) => !needing.includes(path));
const specifier = (subpath: string) => `holdfast${subpath.slice(1)}`;

const skip = (await isRegistryOnline()) ? false : "the package registry cannot be reached";

describe("the packed tarball", { skip }, () => {
  let consumer: Consumer;
  let project = "";
  const inProject: Consumer["run"] = async (file, args) => await consumer.run(file, args);

  before(async () => {
    consumer = await installPacked("holdfast");
    ({ project } = consumer);
  });
  after(async () => await rm(project, { recursive: true, force: true }));

  const countExports = async (paths: readonly string[]) => {
    const imports = paths
      // The conformance suite declares tests only when it is called. Here it is only loaded.
      .map((path) => `console.log(Object.keys(await import("${specifier(path)}")).length);`)
      .join("\n");
    const { stdout } = await inProject("node", ["--input-type=module", "-e", imports]);
    const counts = stdout.trim().split("\n").map(Number);
    assert.equal(counts.length, paths.length);
    assert.ok(counts.every((exports) => exports > 0));
  };

  test("every exported subpath can be imported, without a framework", async () => {
    await countExports(alone);
  });

  test("a CommonJS program can require every subpath", async () => {
    const program = alone.map((path) => `require("${specifier(path)}");`).join("\n");
    await inProject("node", ["--input-type=commonjs", "-e", program]);
  });

  test("the main entry loads no server, no password hashing, no database and no validation library", async () => {
    const urls = await loadedModules("holdfast", inProject);
    const packages = new Set(
      urls.map((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]).filter(Boolean),
    );
    for (const name of packages)
      assert.ok(["fastest-levenshtein", "holdfast"].includes(name ?? ""), `loads ${name}`);
    // Babel cannot translate it to CommonJS, which tests with Jest on an older Node need.
    for (const url of urls.filter((one) => one.startsWith("file:")))
      assert.ok(!readFileSync(new URL(url), "utf8").includes("import.meta"), url);
    assert.equal(urls.includes("node:sqlite"), false);
  });

  test("an install contains no development tools, and the command prints its version", async () => {
    const { stdout } = await inProject("node_modules/.bin/holdfast", ["--version"]);
    assert.equal(stdout.trim(), manifest.version);
    const lock = JSON.parse(await readFile(join(project, "package-lock.json"), "utf8")) as {
      packages: Record<string, unknown>;
    };
    for (const tool of ["node", "typescript", "fast-check", "jsonwebtoken", "preact", "uplot", "esbuild"]) {
      assert.equal(`node_modules/${tool}` in lock.packages, false);
    }
  });

  test("each map leads to source that the package has, and contains none", async () => {
    const installed = join(project, "node_modules/holdfast");
    const maps = globSync("dist/**/*.map", { cwd: installed });
    assert.ok(maps.length > 20);
    for (const map of maps) {
      const { sources, sourcesContent } = JSON.parse(await readFile(join(installed, map), "utf8")) as {
        sources: string[];
        sourcesContent?: unknown[];
      };
      assert.deepEqual(sourcesContent?.filter(Boolean) ?? [], [], map);
      const missing = sources.filter((source) => !existsSync(join(installed, dirname(map), source)));
      assert.deepEqual(missing, [], map);
    }
  });

  test("the installed service runs its store in a thread and has the dashboard, with the licences of its libraries", async (t) => {
    const command = [join(project, "node_modules/holdfast/dist/cli.js"), "serve"];
    const service = await startService(join(project, "data"), {}, command);
    t.after(async () => await service.stop());
    for (const path of ["/dashboard.js", "/dashboard.css", "/dashboard-licences.txt"]) {
      const response = await fetch(service.admin + path);
      assert.equal(response.status, 200, path);
      assert.ok((await response.text()).length > 1000, path);
    }
    const health = (await (await fetch(`${service.admin}/health`)).json()) as { status: string };
    assert.equal(health.status, "ok");
  });

  test("the bundle of each entry exports what its source exports", async () => {
    const paths = alone.map(specifier);
    const inCheckout: Consumer["run"] = async (file, args) => await run(file, args, { cwd: root });
    const source = await exportsOf(paths, inCheckout, "--conditions=holdfast-source");
    assert.deepEqual(await exportsOf(paths, inProject), source);
  });

  describe("its types", () => {
    const imports = `import { createGuard, jwks } from "holdfast";\n`;

    const all = alone.map((path, i) => `import * as m${i} from "${specifier(path)}"; void m${i};`).join("\n");
    const accepted = `${imports}${all}
        interface Claims { sub: string; tenant: string }
        const guard = createGuard<Claims>({ issuer: "https://id.example", audience: null, keys: jwks("https://id.example/k") });
        const verdict = await guard.validate("x");
        if (verdict.status === "valid") { const tenant: string = verdict.claims.tenant; void tenant; }`;

    const refused: [string, string, RegExp][] = [
      ["a guard without an audience", `createGuard({ issuer: "i", keys: jwks("https://k") });`, /audience/],
      [
        "claims read before the status was asked",
        `const v = await createGuard({ issuer: "i", audience: null, keys: jwks("https://k") }).validate("x"); v.claims;`,
        /claims/,
      ],
      [
        "an option that does not exist",
        `createGuard({ issuer: "i", audience: null, keys: jwks("https://k"), cacheTtl: 5 });`,
        /cacheTtl/,
      ],
    ];
    let errors: string[] = [];
    before(async () => {
      const sources = [accepted, ...refused.map(([, source]) => `${imports}${source}`)];
      errors = await consumer.compileAll(sources);
    });

    test("compile in a consumer's project with the consumer's claims", () => {
      assert.equal(errors[0], "");
    });
    for (const [i, [what, , complaint]] of refused.entries()) {
      test(`refuse ${what}`, () => assert.match(errors[i + 1] ?? "", complaint));
    }

    describe("beside frameworks", () => {
      before(async () => {
        for (const name of ["@fastify", "@nestjs", "@types", "fastify", "react", "reflect-metadata", "ws"]) {
          await symlink(join(root, "node_modules", name), join(project, "node_modules", name), "dir");
        }
      });

      test("the entries for frameworks can be imported", async () => await countExports(needing));

      const beside = `
        import express from "express";
        import { fastify } from "fastify";
        import { Hono } from "hono";
        import { Controller, Get, UseGuards } from "@nestjs/common";
        import { createGuard, jwks } from "holdfast";
        import * as onExpress from "holdfast/express";
        import { holdfast, protect as onFastify } from "holdfast/fastify";
        import { protect as onHono } from "holdfast/hono";
        import { Auth, protect as onNest, type ValidVerdict } from "holdfast/nestjs";
        interface Claims { sub: string; tenant: string }
        const guard = createGuard<Claims>({ issuer: "https://id.example", audience: null, keys: jwks("https://id.example/k") });\n`;

      // A declaration of `AuthClaims` counts in a whole program. Each set of modules is a program of its own.
      const handlers = `${beside}
          declare module "holdfast/express" { interface AuthClaims { tenant: string } }
          declare module "holdfast/fastify" { interface AuthClaims { tenant: string } }
          const api = express.Router().use("/team", onExpress.protect(guard));
          api.get("/", onExpress.protect<Claims>(guard, { scopes: ["read"] }), (req, res) => void res.send(req.auth.claims.tenant.trim()));
          const app = fastify({ http2: true });
          await app.register(holdfast, { guard });
          app.addHook("onRequest", onFastify<Claims>(guard));
          app.get("/", { onRequest: app.protect({ degraded: "deny" }) }, (request) => request.auth.claims.tenant.trim());
          new Hono().use("/team/*", onHono(guard)).get("/", onHono(guard), (c) => c.text(c.var.auth.claims.tenant.trim()));
          @Controller()
          export class Team {
            @Get() @UseGuards(onNest<Claims>(guard))
            get(@Auth() auth: ValidVerdict<Claims>) { return auth.claims.tenant.trim(); }
          }`;
      const socketHandlers = `
          import websocket from "@fastify/websocket";
          import { fastify } from "fastify";
          import { WebSocketServer } from "ws";
          import { createGuard, jwks } from "holdfast";
          import { createConnections } from "holdfast/connections";
          import { holdfastWebSocket } from "holdfast/fastify-websocket";
          import { protect } from "holdfast/ws";
          interface Claims { sub: string; tenant: string }
          declare module "holdfast/fastify-websocket" { interface AuthClaims { tenant: string } }
          const guard = createGuard<Claims>({ issuer: "https://id.example", audience: null, keys: jwks("https://id.example/k") });
          const connections = createConnections({ guard });
          protect(connections, {}, new WebSocketServer({ noServer: true }), (socket, request) => {
            socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
            socket.send(request.auth.auth?.claims.tenant.trim() ?? "");
          });
          const app = fastify();
          await app.register(websocket);
          await app.register(holdfastWebSocket, { connections });
          app.get("/chat", app.protectWebSocket({ scopes: ["chat"] }, (socket, request) => {
            socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
            socket.send(request.auth.auth?.claims.tenant.trim() ?? request.url);
          }));
          app.route({ method: "GET", url: "/other", ...app.protectWebSocket({}, () => {}) });`;

      const wrong: [what: string, source: string, complaint: RegExp][] = [
        [
          "claims that nobody has named",
          `express().get("/", onExpress.protect(guard), (req) => req.auth.claims.tenant.trim());`,
          /'req.auth.claims.tenant' is of type 'unknown'/,
        ],
        [
          "a verdict where nothing is protected",
          `new Hono().get("/", (c) => c.text(c.var.auth.subject));`,
          /'auth' does not exist/,
        ],
        ["a rule that does not exist", `onNest(guard, { scope: ["read"] });`, /'scope' does not exist/],
        ["a plugin without a guard", `fastify().register(holdfast);`, /guard/],
      ];

      let ofHandlers: string[] = [];
      let ofWrong: string[] = [];
      before(async () => {
        ofHandlers = await consumer.compileAll([handlers, socketHandlers]);
        ofWrong = await consumer.compileAll(wrong.map(([, source]) => `${beside}${source}`));
      });

      test("compile, and handlers have the type of the claims", () => assert.equal(ofHandlers[0], ""));
      test("compile, and handlers of sockets have the type of the claims", () => {
        assert.equal(ofHandlers[1], "");
      });
      for (const [i, [what, , complaint]] of wrong.entries()) {
        test(`refuse ${what}`, () => assert.match(ofWrong[i] ?? "", complaint));
      }
    });
  });
});
