/*
 * Lets the refresh of a session fail: `node session-drill.ts FOLDER`. The folder is a copy of
 * examples/coming-from/home-made-refresh. Prints what the user sees after each failure, as JSON.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { waitUntil } from "../../support/deadline.ts";

interface Servers {
  readonly id: string;
  readonly api: string;
  readonly state: { failure: number | null; refreshes: number };
  expireTokens(): Promise<void>;
  answerSlow(): void;
  close(): Promise<void>;
}

interface Session {
  login(username: string, password: string): Promise<void>;
  get(path: string): Promise<Response>;
  isLoggedIn(): Promise<boolean>;
}

const load = async (name: string) =>
  (await import(pathToFileURL(join(process.argv[2] ?? "", name)).href)) as unknown;
const { startServers } = (await load("servers.js")) as { startServers: () => Promise<Servers> };
const { createSession } = (await load("session.js")) as { createSession: (servers: Servers) => Session };

async function start(): Promise<{ servers: Servers; session: Session }> {
  const servers = await startServers();
  const session = createSession(servers);
  await session.login("ann", "wonderland");
  await servers.expireTokens();
  return { servers, session };
}

/** What the user sees when the auth service fails for a while. */
async function fail(failure: number): Promise<string> {
  const { servers, session } = await start();
  servers.state.failure = failure;
  await session.get("/").catch(() => null);
  servers.state.failure = null;
  const isLoggedIn = await session.isLoggedIn();
  if (isLoggedIn) {
    const hasData = async () => (await session.get("/").catch(() => null))?.status === 200;
    await waitUntil(hasData, "data after the failure", 60_000);
  }
  await servers.close();
  return isLoggedIn ? "stays logged in" : "the login form";
}

/** How many refreshes there are when the 401 of a slow call arrives after the refresh of another call. */
async function callSlowly(): Promise<string> {
  const { servers, session } = await start();
  const slow = session.get("/slow");
  assert.equal((await session.get("/")).status, 200);
  servers.answerSlow();
  assert.equal((await slow).status, 200);
  const { refreshes } = servers.state;
  await servers.close();
  return refreshes === 1 ? "1 refresh" : `${refreshes} refreshes`;
}

const results: Record<string, string> = {};
for (const failure of [429, 500, 503]) {
  results[`the service answers the refresh with ${failure}`] = await fail(failure);
}
results["a slow call gets its 401 after the refresh of another call"] = await callSlowly();
console.log(JSON.stringify(results));
process.exit(); // The client has timers.
