import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { guardEntries } from "../../scripts/guard-package.ts";
import { protect as protectHere } from "../../src/adapters/fetch.ts";
import * as cacheHere from "../../src/cache/index.ts";
import * as here from "../../src/index.ts";
import { createMint } from "../../src/testing/index.ts";
import { isRegistryOnline } from "../support/packed-packages.ts";
import { exportsOf, installPacked, loadedModules, root, run, type Consumer } from "./consumer.ts";

const subpaths = Object.keys(guardEntries);
const specifier = (subpath: string) => `holdfast-guard${subpath.slice(1)}`;
/** The entries for frameworks that the consumer installs. */
const needing = ["./client/react", "./fastify", "./fastify-websocket", "./nestjs", "./opentelemetry"];
const alone = subpaths.filter((path) => !needing.includes(path));
/** What the entries of `holdfast` export beyond those of this package. */
const wholeOnly = ["mountIssuer", "redisStore"];
const skip = (await isRegistryOnline()) ? false : "the package registry cannot be reached";

describe("the packed tarball of holdfast-guard", { skip }, () => {
  const folders: string[] = [];
  let consumer: Consumer;

  before(async () => {
    consumer = await installPacked("holdfast-guard");
    folders.push(consumer.project);
  });
  after(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  test("the tarball has at most 350 KB", () => {
    assert.ok(consumer.packed.size <= 350_000, String(consumer.packed.size));
  });

  test("an install has at most three packages and 3 MB", async () => {
    const modules = join(consumer.project, "node_modules");
    const lock = JSON.parse(await readFile(join(modules, ".package-lock.json"), "utf8")) as {
      packages: Record<string, unknown>;
    };
    const names = Object.keys(lock.packages);
    assert.ok(names.length >= 1 && names.length <= 3, names.join());
    const { stdout } = await run("find", [modules, "-type", "f"], { cwd: root });
    let bytes = 0;
    for (const file of stdout.trim().split("\n")) bytes += (await stat(file)).size;
    assert.ok(bytes <= 3_000_000, String(bytes));
  });

  test("the package has the version of holdfast, a README, a licence and a changelog, and no file beyond the build", () => {
    const own = JSON.parse(
      readFileSync(join(consumer.project, "node_modules/holdfast-guard/package.json"), "utf8"),
    ) as { version: string; license: string };
    const whole = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as typeof own;
    assert.deepEqual([own.version, own.license], [whole.version, whole.license]);
    const paths = consumer.packed.files.map(({ path }) => path);
    const beyond = paths.filter((path) => !/^dist\/.+(?:\.js|\.d\.ts)$/.test(path)).toSorted();
    assert.deepEqual(beyond, ["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  });

  test("no page of the package links to a file that the package lacks", () => {
    for (const page of ["README.md", "CHANGELOG.md"]) {
      const text = readFileSync(join(consumer.project, "node_modules/holdfast-guard", page), "utf8");
      assert.doesNotMatch(text, /\]\((?!https?:|#)/, page);
    }
  });

  test("each entry exports what the same entry of holdfast exports, but no part of the issuer", async () => {
    const found = await exportsOf(alone.map(specifier), consumer.run);
    const inCheckout: Consumer["run"] = async (file, args) => await run(file, args, { cwd: root });
    const names = alone.map((path) => specifier(path).replace("-guard", ""));
    const whole = await exportsOf(names, inCheckout, "--conditions=holdfast-source");
    const expected = Object.entries(whole).map(([name, exported]) => [
      name.replace("holdfast", "holdfast-guard"),
      exported.filter((one) => !wholeOnly.includes(one)),
    ]);
    assert.deepEqual(found, Object.fromEntries(expected));
  });

  test("a CommonJS program can require every entry", async () => {
    const program = alone.map((path) => `require("${specifier(path)}");`).join("\n");
    await consumer.run("node", ["--input-type=commonjs", "-e", program]);
  });

  test("the entries load no package beyond the one dependency, and Babel can translate each file to CommonJS", async () => {
    for (const path of [".", "./express", "./node-http", "./connections", "./testing"]) {
      const urls = await loadedModules(specifier(path), consumer.run);
      const packages = urls.map((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]);
      const unexpected = packages.filter(
        (name) => name !== undefined && !["fastest-levenshtein", "holdfast-guard"].includes(name),
      );
      assert.deepEqual(unexpected, [], path);
      for (const url of urls.filter((one) => one.startsWith("file:")))
        assert.ok(!readFileSync(new URL(url), "utf8").includes("import.meta"), url);
    }
  });

  describe("its types", () => {
    const all = alone.map((path, i) => `import * as m${i} from "${specifier(path)}"; void m${i};`).join("\n");
    const program = `${all}
      import { createGuard, jwks } from "holdfast-guard";
      interface Claims { sub: string; tenant: string }
      const guard = createGuard<Claims>({ issuer: "https://id.example", audience: null, keys: jwks("https://id.example/k") });
      const verdict = await guard.validate("x");
      if (verdict.status === "valid") { const tenant: string = verdict.claims.tenant; void tenant; }`;

    before(async () => {
      // The types of some entries come with the frameworks, which the user of the entry has.
      const frameworks = [
        "@fastify",
        "@nestjs",
        "@opentelemetry",
        "@types",
        "express",
        "fastify",
        "hono",
        "prom-client",
      ];
      for (const name of [...frameworks, "react", "redis", "reflect-metadata", "ws"]) {
        const target = join(consumer.project, "node_modules", name);
        await symlink(join(root, "node_modules", name), target, "dir");
      }
    });

    test("compile with the resolution of Node, and with that of a bundler", async () => {
      // The types of React are written for browsers.
      const web = ["--lib", "es2024,dom"];
      assert.equal(await consumer.compile(program, ...web), "");
      const asBundler = ["--module", "esnext", "--moduleResolution", "bundler", ...web];
      assert.equal(await consumer.compile(program, ...asBundler), "");
    });

    test("take the reader's claims beside Express", async () => {
      const beside = `
        import express from "express";
        import { createGuard } from "holdfast-guard";
        import { protect } from "holdfast-guard/express";
        declare module "holdfast-guard/express" { interface AuthClaims { tenant: string } }
        const guard = createGuard({ issuer: "https://id.example", audience: null });
        express().get("/", protect(guard), (req, res) => void res.send(req.auth.claims.tenant.trim()));`;
      assert.equal(await consumer.compile(beside), "");
      const misspelt = beside.replace("claims.tenant", "claims.tenent");
      assert.match(await consumer.compile(misspelt), /tenent/);
    });
  });

  test("the entries for frameworks can be imported beside them", async () => {
    const found = await exportsOf(needing.map(specifier), consumer.run);
    assert.ok(Object.values(found).every((names) => names.length > 0));
    assert.ok(!found["holdfast-guard/fastify"]?.includes("mountIssuer"));
  });

  test("the trace of a simulated world shows the places of the program, without frames of the package", async () => {
    const program = `import { createGuard, jwks } from "holdfast-guard";
      import { World } from "holdfast-guard/testing/simulation";
      const world = new World({ seed: 3, trace: true });
      world.process("api", async ({ clock, random, fetch, sleep }) => {
        const keys = jwks("https://id.example/keys", { fetch });
        createGuard({ issuer: "https://id.example", audience: null, keys, clock, random, warnings: false });
        for (;;) await sleep(1_000);
      });
      await world.run(5_500);
      for (const line of world.trace) console.log(line);`;
    await writeFile(join(consumer.project, "simulated.mjs"), program);
    const { stdout } = await consumer.run("node", ["simulated.mjs"]);
    const places = [...stdout.matchAll(/[\w.-]+\.[cm]?[jt]s(?=:\d)/g)].map(([place]) => place);
    assert.ok(places.length > 5, stdout);
    assert.deepEqual([...new Set(places)], ["simulated.mjs"], stdout);
  });

  describe("beside holdfast in one process", () => {
    const load = async <T>(path: string): Promise<T> => {
      const file = join(
        consumer.project,
        "node_modules/holdfast-guard/dist",
        `${guardEntries[path]?.name}.js`,
      );
      return (await import(pathToFileURL(file).href)) as T;
    };
    const issuer = "https://id.example.com";
    const audience = "https://api.example.com";

    test("an error of one package is an instance of the other's class", async () => {
      const there = await load<typeof here>(".");
      assert.notEqual(there.HoldfastError, here.HoldfastError);
      for (const [thrower, other] of [
        [here, there],
        [there, here],
      ] as const) {
        assert.throws(
          () => thrower.createGuard({ issuer, audience: "" }),
          (error) =>
            error instanceof other.HoldfastError &&
            other.isHoldfastError(error, "invalid_option") &&
            !other.isHoldfastError(error, "closed"),
        );
      }
      assert.equal(new Error("another") instanceof there.HoldfastError, false);
    });

    test("the types of one package take the guard, the keys and the authority of the other", async () => {
      await symlink(root, join(consumer.project, "node_modules/holdfast"), "dir");
      const both = `
        import { createGuard as createHere } from "holdfast";
        import { createConnections } from "holdfast/connections";
        import { cachedJwtValidation } from "holdfast/cache";
        import { TokenCache } from "holdfast-guard/cache";
        import { createGuard as createThere, introspection, jwks } from "holdfast-guard";
        import { protect } from "holdfast-guard/fetch";
        const url = "https://id.example";
        const authority = introspection({ url, clientId: "guard", clientSecret: "secret" });
        protect(createHere({ issuer: url, audience: null, keys: jwks(url), authority }), {}, () => new Response());
        cachedJwtValidation(() => null, new TokenCache());
        createConnections({ guard: createThere({ issuer: url, audience: null }) });`;
      const fromSource = ["--customConditions", "holdfast-source", "--allowImportingTsExtensions"];
      assert.equal(await consumer.compile(both, ...fromSource), "");
      assert.match(await consumer.compile(both.replace("guard:", "guards:"), ...fromSource), /guards/);
    });

    test("law 4: a token that is invalidated in the cache of one package is refused by the wrapper of the other", async () => {
      const cacheThere = await load<typeof cacheHere>("./cache");
      for (const [cacheFrom, wrapperFrom] of [
        [cacheHere, cacheThere],
        [cacheThere, cacheHere],
      ] as const) {
        const cache = new cacheFrom.TokenCache<{ sub: string }>();
        let isRevoked = false;
        const validate = wrapperFrom.cachedJwtValidation(() => (isRevoked ? null : { sub: "ann" }), cache);
        assert.deepEqual(await validate("a.token"), { sub: "ann" });
        isRevoked = true;
        assert.deepEqual(await validate("a.token"), { sub: "ann" });
        await cache.invalidateCachedToken("a.token");
        assert.equal(await validate("a.token"), null);
      }
    });

    test("the adapter, the keys and the mint of one package work with the guard of the other", async () => {
      const there = await load<typeof here>(".");
      const { protect: protectThere } = await load<{ protect: typeof protectHere }>("./fetch");
      const mint = await createMint({ issuer, audience });
      for (const [keysFrom, guardFrom, protect] of [
        [here, there, protectHere],
        [there, here, protectThere],
      ] as const) {
        const guard = guardFrom.createGuard({ issuer, audience, keys: keysFrom.staticKeys(mint.jwks()) });
        const handle = protect(guard, {}, (_, auth) => new Response(auth.subject));
        const ask = async (token: string) =>
          await handle(new Request(audience, { headers: { authorization: `Bearer ${token}` } }));
        const token = mint.token({ sub: "alice" });
        // The second answer comes from the guard's memory.
        for (let i = 0; i < 2; i++) assert.equal(await (await ask(token)).text(), "alice");
        assert.equal((await ask(mint.token({ exp: 1 }))).status, 401);
        await guard.close();
      }
    });
  });
});
