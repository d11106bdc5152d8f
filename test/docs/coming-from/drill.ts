import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createProvider, type Provider } from "../../../src/testing/index.ts";
import { waitUntil } from "../../support/deadline.ts";
import { startServer, type App, type Server } from "./app.ts";

const audience = "https://api.example.com";

/** Longer than each of the libraries keeps keys by default, which is ten minutes. */
const CACHE_IS_OVER_MS = 660_000;

/** Shorter than each of the libraries waits for keys by default, which is at least five seconds. */
const PATIENCE_MS = 3_000;

/** What a client sees, as a cell of the table shows it. */
async function describeAnswer(response: Response): Promise<string> {
  await response.arrayBuffer();
  const { status, headers } = response;
  if (status < 400) return String(status);
  if (headers.has("retry-after")) return `${status} with \`Retry-After\``;
  const challenge = headers.get("www-authenticate");
  if (challenge === null) return `${status}, no challenge`;
  return `${status}, \`${/error="\w+"/.exec(challenge)?.[0] ?? "Bearer"}\``;
}

async function startProvider(t: TestContext): Promise<Provider> {
  const provider = await createProvider({ audience, algorithm: "RS256", lifetimeMs: 3_600_000 });
  await provider.listen();
  t.after(async () => await provider.close());
  return provider;
}

/** What clients of a server see, by the cases that the pages name. */
export async function observe(t: TestContext, app: App): Promise<Map<string, string>> {
  const provider = await startProvider(t);
  const env = { ISSUER: provider.issuer, KEYS_URL: provider.url("jwks"), AUDIENCE: audience };
  const seen = new Map<string, string>();
  const see = async (what: string, answer: Promise<Response>) =>
    void seen.set(what, await describeAnswer(await answer));
  const expectValid = async (server: Server) =>
    assert.equal((await server.get("/me", provider.token())).status, 200);

  let server = await startServer(t, app, env);
  await expectValid(server);
  await see("no token", server.get("/me"));
  await see("an expired token", server.get("/me", provider.token({ exp: 1_000_000_000 })));
  await see(
    "a token for another API",
    server.get("/me", provider.token({ aud: "https://other.example.com" })),
  );
  await see("a token without the scope", server.get("/orders", provider.token({ scope: "profile" })));
  if (app.isMoved) await snapshotOf(app);

  provider.fault("all", { status: 503 });
  await expectValid(server); // The keys are in memory.
  await server.setAhead(CACHE_IS_OVER_MS);
  await see("the provider is down for 11 minutes", server.get("/me", provider.token()));
  provider.restore();
  await recovers(server, provider);

  provider.fault("all", { hang: true });
  await server.setAhead(2 * CACHE_IS_OVER_MS);
  seen.set("the provider accepts requests and never answers", await askPatiently(app, server, provider));
  provider.restore();
  await server.stop();

  provider.fault("all", { status: 503 });
  server = await startServer(t, app, env);
  await see("the provider is down, and the server restarts", server.get("/me", provider.token()));
  await server.stop();

  rmSync(join(app.folder, "snapshots"), { recursive: true, force: true });
  server = await startServer(t, app, env);
  await see("the provider is down at the first start", server.get("/me", provider.token()));
  provider.restore();
  await recovers(server, provider);
  await server.stop();
  return seen;
}

/** What a client sees that gives up after a while, when the server is as it was before the diff. */
async function askPatiently({ isMoved }: App, server: Server, provider: Provider): Promise<string> {
  try {
    const answer = await server.get("/me", provider.token(), isMoved ? undefined : PATIENCE_MS);
    return await describeAnswer(answer);
  } catch (error) {
    assert.equal((error as Error).name, "TimeoutError");
    return `no answer within ${PATIENCE_MS / 1000} s`;
  }
}

/** Waits until the keys are on the disk. */
async function snapshotOf({ folder }: App): Promise<void> {
  const snapshots = join(folder, "snapshots");
  const isWritten = async () =>
    existsSync(snapshots) && readdirSync(snapshots).some((name) => name.endsWith(".json"));
  await waitUntil(isWritten, "the snapshot of the keys");
}

async function recovers(server: Server, provider: Provider): Promise<void> {
  const isValid = async () => (await server.get("/me", provider.token())).status === 200;
  await waitUntil(isValid, "a valid token is accepted after the outage", 120_000);
}
