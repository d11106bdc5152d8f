import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { createProvider, type Provider } from "../../src/testing/index.ts";
import type { RuntimeProvider } from "./app.ts";
import { installRuntimes } from "./install.ts";

/*
 * One contract on Node, Bun, Deno and workerd. `npm run test:runtimes` runs it and installs the runtimes.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const algorithms = ["ES256", "RS256", "PS256", "EdDSA"] as const;
const audience = "https://api.example.com";
const installed = installRuntimes(root);

/** A server on a runtime. */
interface Host {
  readonly url: string;
  stop(): Promise<void>;
}

async function startProcess(command: string, args: readonly string[]): Promise<Host> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(child.stdout)) {
    const port = /^PORT (\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    const stop = async () => {
      child.kill();
      await once(child, "close");
    };
    return { url: `http://127.0.0.1:${port}`, stop };
  }
  throw new Error(`${command} ended before it listened`);
}

async function startWorker(script: string): Promise<Host> {
  const { Miniflare } = (await import(pathToFileURL(installed.miniflare).href)) as {
    Miniflare: new (options: object) => { readonly ready: Promise<URL>; dispose(): Promise<void> };
  };
  const worker = new Miniflare({
    modules: true,
    script: readFileSync(script, "utf8"),
    compatibilityDate: "2026-06-01",
    compatibilityFlags: ["nodejs_compat"],
  });
  const url = (await worker.ready).href.replace(/\/$/, "");
  return { url, stop: async () => await worker.dispose() };
}

const runtimes: [name: string, start: (bundle: (entry: string) => Promise<string>) => Promise<Host>][] = [
  ["Node", async (bundle) => await startProcess(process.execPath, [await bundle("serve")])],
  ["Bun", async (bundle) => await startProcess(join(installed.bun, "bin/bun"), [await bundle("serve")])],
  [
    "Deno",
    async (bundle) => await startProcess(join(installed.deno, "deno"), ["run", "-A", await bundle("serve")]),
  ],
  ["workerd", async (bundle) => await startWorker(await bundle("app"))],
];

for (const [runtime, start] of runtimes) {
  describe(`a guard on ${runtime}`, () => {
    const providers = new Map<string, Provider>();
    const folder = mkdtempSync(join(tmpdir(), "holdfast-runtime-"));
    let host: Host | undefined;

    before(async () => {
      const settings: Record<string, RuntimeProvider> = {};
      for (const name of [...algorithms, "authority", "down", "forged"]) {
        const algorithm = algorithms.find((one) => one === name) ?? "ES256";
        const provider = await createProvider({ audience, algorithm });
        await provider.listen(0);
        providers.set(name, provider);
        const { issuer } = provider;
        const asked = name === "authority" ? provider.url("introspection") : null;
        settings[name] = { issuer, jwks: provider.url("jwks"), introspection: asked };
      }
      providers.get("down")?.fault("jwks", { status: 500 });
      const bundle = async (entry: string) => {
        const outfile = join(folder, `${entry}.mjs`);
        await build({
          entryPoints: [join(root, `test/runtimes/${entry}.ts`)],
          outfile,
          bundle: true,
          format: "esm",
          target: "es2024",
          platform: "neutral",
          mainFields: ["module", "main"],
          external: ["node:*"],
          conditions: ["holdfast-source", "import"],
          define: { PROVIDERS: JSON.stringify(settings) },
          logLevel: "error",
        });
        return outfile;
      };
      host = await start(bundle);
    });
    after(async () => {
      await host?.stop();
      for (const provider of providers.values()) await provider.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const providerOf = (name: string) => providers.get(name) ?? assert.fail(name);
    const ask = async (name: string, token: string | null) =>
      await fetch(
        `${host?.url}/${name}`,
        token === null ? {} : { headers: { authorization: `Bearer ${token}` } },
      );

    for (const algorithm of algorithms) {
      test(`forty cold requests with ${algorithm} are forty good ones, and fetch the keys once`, async () => {
        const provider = providerOf(algorithm);
        const subjects = Array.from({ length: 40 }, (_, i) => `user ${i}`);
        const bodies = await Promise.all(
          subjects.map(
            async (sub) => await (await ask(algorithm, provider.token({ sub, scope: "read" }))).text(),
          ),
        );
        assert.deepEqual(bodies, subjects);
        assert.equal(provider.counts("jwks").requests, 1);
      });

      test(`${algorithm}: a forged, an expired and a changed token are 401`, async () => {
        const provider = providerOf(algorithm);
        const good = provider.token({ scope: "read" });
        const [header, , signature] = good.split(".");
        const payload = provider.token({ scope: "read", sub: "another" }).split(".")[1];
        const forger = await createProvider({ audience, algorithm, issuer: provider.issuer });
        for (const token of [
          provider.token({ exp: 1 }),
          `${header}.${payload}.${signature}`,
          forger.token({ scope: "read" }, { kid: provider.kid }),
        ]) {
          assert.equal((await ask(algorithm, token)).status, 401);
        }
        assert.equal((await ask(algorithm, good)).status, 200);
      });
    }

    test("a request without a token is challenged, and a missing scope is 403", async () => {
      const none = await ask("ES256", null);
      assert.deepEqual([none.status, none.headers.get("www-authenticate")], [401, 'Bearer realm="api"']);
      const forbidden = await ask("ES256", providerOf("ES256").token({ scope: "other" }));
      assert.equal(forbidden.status, 403);
    });

    test("law 1: a request is 503 while the keys cannot be fetched", async () => {
      const response = await ask("down", providerOf("down").token({ scope: "read" }));
      assert.deepEqual([response.status, response.headers.get("www-authenticate")], [503, null]);
      assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    });

    test("law 3: the authority is asked, and its no is final", async () => {
      const provider = providerOf("authority");
      const good = provider.token({ sub: "alice", scope: "read", jti: "one" });
      const revoked = provider.token({ sub: "bob", scope: "read", jti: "two" });
      provider.revoke("two");
      assert.equal(await (await ask("authority", good)).text(), "alice");
      for (let i = 0; i < 3; i++) assert.equal((await ask("authority", revoked)).status, 401);
    });

    test("tokens with an unknown key cost at most one more fetch", async () => {
      const provider = providerOf("forged");
      assert.equal((await ask("forged", provider.token({ scope: "read" }))).status, 200);
      for (let i = 0; i < 5; i++) {
        const { status } = await ask("forged", provider.token({ scope: "read" }, { kid: `unknown ${i}` }));
        assert.ok(status === 401 || status === 503, String(status));
      }
      assert.ok(provider.counts("jwks").requests <= 2);
    });
  });
}
