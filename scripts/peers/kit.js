/* What the programs of `npm run test:peers` share. They run in the project of a consumer, against the packed tarball. */
import assert from "node:assert/strict";
import { createGuard, staticKeys } from "holdfast";
import { createMint } from "holdfast/testing";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
export const mint = await createMint({ issuer, audience });
export const guard = createGuard({ issuer, audience, keys: staticKeys(mint.jwks()) });

/** Checks that a route greets the subject of a valid token, and refuses other requests. */
export async function checkRoute(url) {
  const get = async (token) =>
    await fetch(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  const good = await get(mint.token({ sub: "alice", scope: "read" }));
  assert.deepEqual([good.status, await good.text()], [200, "hello alice"]);
  const stranger = await get();
  assert.deepEqual([stranger.status, (await stranger.json()).error], [401, "unauthorized"]);
  assert.equal(stranger.headers.get("www-authenticate"), 'Bearer realm="api"');
  assert.equal((await get(mint.token({ exp: 1 }))).status, 401);
  assert.equal((await get(mint.token({ scope: "write" }))).status, 403);
}

/** Ends the process when the checks are done, because servers keep it alive. */
export async function finish() {
  await guard.close();
  console.log("passed");
  process.exit(0);
}
