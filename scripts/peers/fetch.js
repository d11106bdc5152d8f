/* Runs on Node, Bun and Deno. */
import assert from "node:assert/strict";
import { protect } from "holdfast/fetch";
import { finish, guard, mint } from "./kit.js";

const handle = protect(guard, { scopes: ["read"] }, (_, auth) => new Response(`hello ${auth.subject}`));
const ask = async (token) => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await handle(new Request("https://api.example.com/", { headers }));
  return [response.status, await response.text()];
};
assert.deepEqual(await ask(mint.token({ sub: "alice", scope: "read" })), [200, "hello alice"]);
for (const [status, token] of [
  [401, undefined],
  [401, mint.token({ exp: 1 })],
  [403, mint.token({ scope: "write" })],
]) {
  assert.equal((await ask(token))[0], status);
}
await finish();
