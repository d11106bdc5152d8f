import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { createProvider } from "../../src/testing/index.ts";
import { waitForExit } from "../support/child-exit.ts";
import { waitUntil, within } from "../support/deadline.ts";
import { freePort } from "../support/free-port.ts";
import { linkPackage } from "../support/link-packages.ts";
import { readBlocks, root } from "./coming-from/page.ts";

/** The part of the browser client that is used here. Its own types need those of a browser. */
interface AuthClient {
  readonly state: { readonly status: string; readonly subject?: string };
  adopt(tokens: unknown): Promise<void>;
  accessToken(options: { fresh: boolean }): Promise<string>;
  sessions(): Promise<readonly { readonly current: boolean }[]>;
  close(): void;
}

const client = (await import(new URL("../../src/client/index.ts", import.meta.url).href)) as {
  createAuthClient(options: { baseUrl: string; storage: "memory" }): AuthClient;
};

/** Runs the server of the page about oidc-client-ts, with an issuer and a provider of this test. Resolves with its URL. */
async function startExchange(t: TestContext, provider: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-exchange-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  linkPackage(join(folder, "node_modules"), "holdfast");
  symlinkSync(join(root, "node_modules/express"), join(folder, "node_modules/express"), "dir");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [block = ""] = readBlocks("oidc-client-ts", "ts");
  assert.match(block, /"https:\/\/provider\.example\.com"/);
  const program = `
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
const issuer = createIssuer({
  url: "${url}",
  audience: "https://api.example.com",
  store: memoryStore(),
  secret: crypto.randomUUID() + crypto.randomUUID(),
});
${block.replace("https://provider.example.com", provider)}
app.listen(${port}, "127.0.0.1", () => console.log("listening"));
`;
  writeFileSync(join(folder, "server.ts"), program);
  const child = spawn(process.execPath, ["--conditions=holdfast-source", "server.ts"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(async () => {
    child.kill();
    await waitForExit(child, "the server of the page");
  });
  const ended = once(child, "exit").then(([code]) => assert.fail(`the server has ended: ${String(code)}`));
  const line = once(createInterface(child.stdout), "line");
  await within(Promise.race([line, ended]), 60_000, "the start of the server of the page");
  return url;
}

test("law 1: the server of the page begins a session for an ID token of a recent login, and for no other token", async (t) => {
  const provider = await createProvider({ audience: "web" });
  t.after(async () => await provider.close());
  const url = await startExchange(t, await provider.listen());
  const exchange = async (token: string) =>
    await fetch(`${url}/session`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  const now = Math.floor(Date.now() / 1000);
  const idToken = (claims: object = {}) =>
    provider.token({ sub: "ann", nonce: crypto.randomUUID(), auth_time: now, ...claims }, { typ: "JWT" });

  provider.fault("all", { status: 503 });
  const unavailable = await exchange(idToken());
  assert.equal(unavailable.status, 503);
  assert.ok(unavailable.headers.has("retry-after"));
  provider.restore();
  const isBack = async () => (await exchange(idToken())).status === 200;
  await waitUntil(isBack, "a session after the outage");

  assert.equal((await exchange(idToken({ auth_time: now - 3600 }))).status, 401, "an old login");
  assert.equal((await exchange(idToken({ aud: "another" }))).status, 401, "another application");
  const accessToken = provider.token({ sub: "ann", auth_time: now, scope: "orders:read" });
  assert.equal((await exchange(accessToken)).status, 401, "an access token");
  const others = [
    { azp: "partner", scp: "read", ver: "2.0", nonce: undefined },
    { azp: "web", scp: "read", nonce: "n" },
    { client_id: "partner", scope: "read", nonce: undefined },
    { nonce: undefined },
    { azp: "partner" },
    { aud: ["web", "partner"], azp: "partner" },
  ];
  for (const claims of others)
    assert.equal((await exchange(idToken(claims))).status, 401, JSON.stringify(claims));
  const untyped = { sub: "ann", auth_time: now, client_id: "partner", scope: "read" };
  assert.equal(
    (await exchange(provider.token(untyped, { typ: undefined }))).status,
    401,
    "a token without typ",
  );
  assert.equal((await exchange(idToken({ azp: "web" }))).status, 200, "an ID token that names its client");

  const copied = idToken();
  const statuses = [(await exchange(copied)).status, (await exchange(copied)).status];
  assert.deepEqual(statuses, [200, 401], "an ID token that comes again");

  const auth = client.createAuthClient({ baseUrl: url, storage: "memory" });
  t.after(() => auth.close());
  const answer = await exchange(idToken());
  assert.equal(answer.headers.get("cache-control"), "no-store");
  await auth.adopt(await answer.json());
  assert.deepEqual([auth.state.status, auth.state.subject], ["in", "ann"]);
  await auth.accessToken({ fresh: true }); // a refresh
  assert.equal((await auth.sessions()).filter(({ current }) => current).length, 1);
});
