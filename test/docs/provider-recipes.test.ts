import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createMint } from "../../src/testing/index.ts";
import { waitForExit } from "../support/child-exit.ts";
import { waitUntil, within } from "../support/deadline.ts";
import { freePort } from "../support/free-port.ts";
import { linkPackages } from "../support/link-packages.ts";
import { openProviderNetwork } from "../support/provider-network.ts";

/*
 * Each recipe of docs/providers is followed to the letter: its server runs in a fresh process against a provider with the
 * public name and the key set of the real one, and its commands run in a shell.
 */

type Claims = Readonly<Record<string, unknown>>;

interface Recipe {
  readonly page: string;
  /** Where the provider publishes its key set. */
  readonly host: string;
  readonly keysPath: string;
  /** What both tokens of the provider have in common. */
  readonly common: Claims;
  /** The variables of the commands. A text is an opaque token, and claims are signed with the key of the provider. */
  readonly tokens: Readonly<Record<string, Claims | string>> & { readonly TOKEN: Claims };
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);
const START_MS = 60_000;
const ANSWER_MS = 60_000;

const auth0 = "https://example.eu.auth0.com";
const okta = "https://example.okta.com/oauth2/default";
const tenant = "8d4c2fd9-0c7c-4a7b-8f0a-5b1c7f1f3f55";
const entraApi = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
const pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab1Cd2Ef3";
const appClient = "1h57kf5cpq17m0eml12EXAMPLE";
const supabase = "https://abcdefghijklmnopqrst.supabase.co/auth/v1";

const recipes: readonly Recipe[] = [
  {
    page: "auth0",
    host: "example.eu.auth0.com",
    keysPath: "/.well-known/jwks.json",
    common: { iss: `${auth0}/`, sub: "auth0|6553da60a54af58e29493993" },
    tokens: {
      TOKEN: { aud: ["https://api.example.com", `${auth0}/userinfo`], azp: "K1AU", scope: "openid" },
      ID_TOKEN: { aud: "K1AU", sid: "s", email: "alice@example.com" },
    },
  },
  {
    page: "okta",
    host: "example.okta.com",
    keysPath: "/oauth2/default/v1/keys",
    common: { iss: okta, sub: "alice@example.com", ver: 1 },
    tokens: {
      TOKEN: { jti: "AT.1", aud: "api://default", cid: "nmdP", uid: "00uj", scp: ["orders:read"] },
      ID_TOKEN: { jti: "ID.1", aud: "nmdP", amr: ["pwd"], idp: "00o" },
    },
  },
  {
    page: "entra-id",
    host: "login.microsoftonline.com",
    keysPath: `/${tenant}/discovery/v2.0/keys`,
    common: { iss: `https://login.microsoftonline.com/${tenant}/v2.0`, tid: tenant, sub: "AAAA", ver: "2.0" },
    tokens: {
      TOKEN: { aud: entraApi, azp: "c9b21e74-8d11-4c3c-8a0e-2f0d5f1b7a11", roles: ["Orders.Read"] },
      ID_TOKEN: { aud: entraApi, name: "Alice", preferred_username: "alice@example.com", nonce: "n" },
    },
  },
  {
    page: "cognito",
    host: "cognito-idp.eu-central-1.amazonaws.com",
    keysPath: "/eu-central-1_Ab1Cd2Ef3/.well-known/jwks.json",
    common: { iss: pool, sub: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", origin_jti: "9a1b" },
    tokens: {
      TOKEN: { aud: undefined, client_id: appClient, token_use: "access", "cognito:groups": ["editors"] },
      ID_TOKEN: { aud: appClient, token_use: "id", "cognito:username": "alice" },
    },
  },
  {
    page: "keycloak",
    host: "id.example.com",
    keysPath: "/realms/shop/protocol/openid-connect/certs",
    common: { iss: "https://id.example.com/realms/shop", sub: "36fa0f91", azp: "spa", sid: "2a88c258" },
    tokens: {
      TOKEN: {
        aud: ["orders-api", "account"],
        typ: "Bearer",
        resource_access: { "orders-api": { roles: [] } },
      },
      ID_TOKEN: { aud: "spa", typ: "ID", at_hash: "x" },
    },
  },
  {
    page: "google",
    host: "www.googleapis.com",
    keysPath: "/oauth2/v3/certs",
    common: { iss: "https://accounts.google.com", sub: "10769150350006150715113082367" },
    tokens: {
      TOKEN: {
        aud: "https://api.example.com",
        azp: "10769150350006150715113082367",
        email: "orders@example.iam.gserviceaccount.com",
        email_verified: true,
      },
      OTHER_TOKEN: {
        aud: "https://api.example.com",
        azp: "1122",
        email: "bot@stranger.iam.gserviceaccount.com",
        email_verified: true,
      },
    },
  },
  {
    page: "firebase",
    host: "www.googleapis.com",
    keysPath: "/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
    common: { iss: "https://securetoken.google.com/example-shop", sub: "u1" },
    tokens: {
      TOKEN: { aud: "example-shop", auth_time: 1, firebase: { sign_in_provider: "password" } },
      REFRESH_TOKEN: "AMf-vBxF000000000000000000000000000000000000",
    },
  },
  {
    page: "clerk",
    host: "clerk.example.com",
    keysPath: "/.well-known/jwks.json",
    common: { iss: "https://clerk.example.com", sub: "user_123", aud: undefined },
    tokens: {
      TOKEN: { azp: "https://app.example.com", sid: "sess_123", sts: "active", v: 2 },
      TEMPLATE_TOKEN: { azp: "https://app.example.com", plan: "pro" },
    },
  },
  {
    page: "supabase",
    host: "abcdefghijklmnopqrst.supabase.co",
    keysPath: "/auth/v1/.well-known/jwks.json",
    common: { iss: supabase, sub: "123e4567-e89b-12d3-a456-426614174000", aud: "authenticated" },
    tokens: {
      TOKEN: { role: "authenticated", session_id: "s1", is_anonymous: false },
      API_KEY: { iss: "supabase", sub: undefined, aud: undefined, ref: "abcdefghijklmnopqrst", role: "anon" },
    },
  },
];

/** The page from a heading to the next one. */
function section(page: string, heading: string): string {
  const text = readFileSync(join(root, `docs/providers/${page}.md`), "utf8");
  const [, found] = text.split(`\n## ${heading}\n`);
  assert.ok(found !== undefined, `docs/providers/${page}.md has a section "${heading}"`);
  return found.split("\n## ")[0] ?? "";
}

/** The lines of the shell blocks of a text. */
function commands(text: string): string[] {
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = ""]) => block.trim().split("\n"));
}

/** Writes the server of the recipe into the folder, beside the packages that the recipe installs. */
function writeServer({ page }: Recipe, folder: string): void {
  const [, code] = /^```js\n(\/\/ server\.mjs\n.*?)^```/ms.exec(section(page, "The server")) ?? [];
  assert.ok(code !== undefined, `docs/providers/${page}.md has a server`);
  writeFileSync(join(folder, "server.mjs"), code);
  mkdirSync(join(folder, "node_modules"));
  const [install = ""] = commands(section(page, "The server"));
  assert.equal(install, "npm install holdfast-guard express");
  linkPackages(join(folder, "node_modules"));
  symlinkSync(join(root, "node_modules/express"), join(folder, "node_modules/express"), "dir");
}

/** Signs the tokens of the recipe, and starts the provider that published the key. */
async function openProvider(t: TestContext, { host, keysPath, common, tokens }: Recipe) {
  const mint = await createMint({ issuer: "unused", audience: "unused", algorithm: "RS256" });
  const network = await openProviderNetwork(t, host, (path) => (path === keysPath ? mint.jwks() : undefined));
  const signed = Object.entries(tokens).map(([name, token]): [string, string] => {
    if (typeof token === "string") return [name, token];
    const auth_time = Math.floor(Date.now() / 1000);
    const claims = { jti: undefined, ...common, ...token, ...("auth_time" in token && { auth_time }) };
    return [name, mint.token(claims, { typ: "JWT" })];
  });
  return { ...network, variables: Object.fromEntries(signed) };
}

test("docs/providers has a recipe for each preset, and a test for each recipe", () => {
  const pages = readdirSync(join(root, "docs/providers")).filter((name) => name !== "index.md");
  assert.deepEqual(pages.toSorted(), recipes.map(({ page }) => `${page}.md`).toSorted());
});

for (const recipe of recipes) {
  test(`the commands of docs/providers/${recipe.page}.md answer what the page says, also while the provider is unplugged`, async (t) => {
    let server: ChildProcess | undefined;
    const stop = async () => {
      server?.kill();
      if (server !== undefined) await waitForExit(server, "the server of the recipe");
    };
    // This hook is the first, because the server writes to the folder that a later one removes.
    t.after(stop);
    const { folder, proxyUrl, authorityFile, tunnels, variables } = await openProvider(t, recipe);
    writeServer(recipe, folder);
    const port = await freePort();

    /** Stops the server and starts it as the line says. The settings of the line replace those of the test. */
    async function start(line: string): Promise<void> {
      await stop();
      const assigned = [...line.matchAll(/(\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]);
      const env = {
        PATH: process.env["PATH"],
        PORT: String(port),
        NODE_USE_ENV_PROXY: "1",
        HTTPS_PROXY: proxyUrl,
        NODE_EXTRA_CA_CERTS: authorityFile,
        ...Object.fromEntries(assigned),
      };
      const args = ["--no-warnings", "--conditions=holdfast-source", "server.mjs"];
      const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
      server = child;
      const listening = new Promise<void>((resolve, reject) => {
        child.stdout.once("data", () => resolve());
        child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
      });
      await within(listening, START_MS, "the start of the server");
    }

    const steps = [
      ...commands(section(recipe.page, "Three commands that prove it")),
      ...commands(section("index", "While the provider is away")),
    ];
    const statuses: string[] = [];
    for (const line of steps) {
      if (line.endsWith("node server.mjs")) {
        await start(line);
        continue;
      }
      const command = line.replace(":3000/", `:${port}/`);
      const { stdout } = await run("sh", ["-c", command], {
        cwd: folder,
        env: { PATH: process.env["PATH"], ...variables },
        timeout: ANSWER_MS,
      });
      const [, promised] = /# (\d{3})$/.exec(line) ?? [];
      if (promised === undefined) continue;
      const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(stdout) ?? [];
      assert.equal(status, promised, `${line}\n${stdout}`);
      statuses.push(promised);
      if (status === "200") assert.match(stdout, /"for":"[^"]+"/);
      if (status === "503") assert.match(stdout, /^retry-after: \d+/im);
      if (statuses.length === 1) {
        await waitUntil(async () => readdirSync(folder).includes("keys"), "the folder of the saved keys");
        await waitUntil(
          async () => readdirSync(join(folder, "keys")).some((name) => name.endsWith(".json")),
          "the saved keys",
        );
      }
    }
    assert.deepEqual(statuses, ["200", "401", "200", "503"]);
    assert.deepEqual(new Set(tunnels), new Set([`${recipe.host}:443`]));
  });
}
