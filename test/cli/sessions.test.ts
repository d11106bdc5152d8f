import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { WebSocketServer } from "ws";
import { protect } from "../../src/adapters/ws.ts";
import { closeCodes, createConnections } from "../../src/connections/index.ts";
import { createGuard, httpRevocations, jwks } from "../../src/index.ts";
import { bearer, connect } from "../adapters/websocket/client.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { post, refresh, type Tokens } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";

const ISSUER = "http://holdfast.test";
const CREDENTIALS = { username: "alice", password: "correct horse battery" };

/** A service process, the command line on its data, and an API with WebSockets that reads the service's log. */
async function setUp(t: TestContext) {
  const data = await temporaryDataDir();
  const settings = { HOLDFAST_CLIENTS: "api:0123456789abcdef" };
  const service = await startService(data, settings);
  t.after(async () => await service.stop());
  const guard = createGuard({
    issuer: ISSUER,
    audience: ISSUER,
    keys: jwks(`${service.url}/.well-known/jwks.json`),
    revocations: httpRevocations({
      url: `${service.url}/auth/revocations`,
      clientId: "api",
      clientSecret: "0123456789abcdef",
    }),
  });
  await guard.ready();
  const connections = createConnections({ guard });
  const wss = new WebSocketServer({ noServer: true });
  const server = createServer().on("upgrade", protect(connections, {}, wss));
  t.after(async () => {
    await connections.close();
    await guard.close();
    for (const socket of wss.clients) socket.terminate();
    await server[Symbol.asyncDispose]();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: service.url,
    holdfast: async (...args: string[]) => await runHoldfast(args, { data, settings, input: "password" }),
    signIn: async (deviceName?: string): Promise<Tokens> => {
      const body = { ...CREDENTIALS, ...(deviceName !== undefined && { device_name: deviceName }) };
      const response = await post(service.url, "/auth/login", body);
      assert.equal(response.status, 200);
      return (await response.json()) as Tokens;
    },
    open: async ({ access_token: token }: Tokens) => await connect(port, { headers: bearer(token) }),
  };
}

for (const command of ["disable", "remove"]) {
  test(`law 3: \`user ${command}\` closes the open sockets of a user, whose sessions and logins end for good`, async (t) => {
    const { url, holdfast, signIn, open } = await setUp(t);
    const tokens = await signIn();
    const socket = await open(tokens);
    const { code, err } = await holdfast("user", command, "alice");
    const repair =
      command === "disable" ? "user enable alice restores" : "user scopes NAME --scope holdfast:admin";
    assert.deepEqual(
      [code, err.startsWith(`note: no administrator is left; holdfast ${repair}`)],
      [0, true],
      err,
    );
    assert.equal((await socket.closed).code, closeCodes.token_revoked);
    assert.equal((await refresh(url, tokens.refresh_token)).status, 400);
    assert.equal((await post(url, "/auth/login", CREDENTIALS)).status, 401);
  });
}

test("sessions are listed and ended at the command line, and an ended one closes its socket only", async (t) => {
  const { holdfast, signIn, open } = await setUp(t);
  const [first, second] = [await signIn("my\t\u001B[31mphone"), await signIn()];
  const [one, other] = [await open(first), await open(second)];
  const list = async () => await holdfast("session", "list", "--user", "alice");
  const lines = (await list()).out.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.split("\t")[0]),
    [second.session_id, first.session_id],
  );
  const [, , , address, client, name, , digest] = lines[1]?.split("\t") ?? [];
  assert.deepEqual([address, client, name], ["127.0.0.1", "holdfast", "my  [31mphone"]);
  const audited = await holdfast("audit", "--session", digest ?? "", "--kind", "login", "--json");
  assert.equal((JSON.parse(audited.out) as { session: string }).session, first.session_id);

  const ended = await holdfast("session", "end", first.session_id);
  assert.deepEqual(ended, { code: 0, out: `ended session ${first.session_id}\n`, err: "" });
  assert.equal((await one.closed).code, closeCodes.token_revoked);
  assert.equal((await list()).out.split("\t", 1)[0], second.session_id);
  assert.equal((await holdfast("session", "end", "--user", "alice")).out, "ended 1 session of alice\n");
  assert.equal((await other.closed).code, closeCodes.token_revoked);
  assert.deepEqual(await list(), { code: 0, out: "", err: "note: alice has no live session\n" });

  const nobody = await holdfast("session", "list", "--user", "nobody");
  assert.deepEqual([nobody.code, nobody.out], [0, ""]);
  assert.match(nobody.err, /^note: there is no user nobody/);
  assert.equal((await holdfast("session", "end")).code, 2);
  assert.equal((await holdfast("session", "list")).code, 2);
});

/** A service, and a session of alice whose record is deleted. */
async function deleteRecord(t: TestContext) {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop());
  const session = (await (await post(service.url, "/auth/login", CREDENTIALS)).json()) as Tokens;
  const digest = [...service.output().matchAll(/"holdfast\.session":"(\w+)"/g)].at(-1)?.[1] ?? "";
  const db = new DatabaseSync(join(data, "holdfast.db"));
  db.prepare("DELETE FROM sessions WHERE id = ?").run(session.session_id);
  db.close();
  assert.equal((await refresh(service.url, session.refresh_token)).status, 503);
  const assertInvalid = async () => {
    const refused = await refresh(service.url, session.refresh_token);
    const { error } = (await refused.json()) as { error: string };
    assert.deepEqual([refused.status, error], [400, "invalid_grant"]);
  };
  const holdfast = async (...args: string[]) => await runHoldfast(args, { data });
  return { id: session.session_id, digest, holdfast, assertInvalid };
}

for (const command of [
  ["session", "end"],
  ["revoke", "--session"],
]) {
  const name = command.join(" ");
  test(`fault 64: holdfast ${name} --force ends a session whose record was deleted, also for its refresh tokens`, async (t) => {
    const { id, holdfast, assertInvalid } = await deleteRecord(t);
    const { code, err } = await holdfast(...command, id, "--force");
    assert.equal(code, 0, err);
    await assertInvalid();
  });

  test(`fault 64: holdfast ${name} --force finds a session whose record was deleted by its digest in the log`, async (t) => {
    const { id, digest, holdfast, assertInvalid } = await deleteRecord(t);
    const unforced = await holdfast(...command, digest);
    assert.deepEqual([unforced.code, unforced.err.includes(`no session ${id}`)], [1, true], unforced.err);
    const { code, out, err } = await holdfast(...command, digest, "--force");
    assert.deepEqual([code, out.endsWith(`session ${id}\n`)], [0, true], err);
    await assertInvalid();
  });
}

for (const command of [
  ["session", "end", "--user"],
  ["revoke", "--user"],
]) {
  test(`fault 64: holdfast ${command.join(" ")} gives up a session of the user whose record was deleted`, async (t) => {
    const { id, holdfast, assertInvalid } = await deleteRecord(t);
    const { code, err } = await holdfast(...command, "alice");
    assert.deepEqual(
      [code, err.startsWith("note: 1 more session that the store lacks is given up")],
      [0, true],
      err,
    );
    await assertInvalid();
    assert.equal((await holdfast(...command, "alice")).err, "", "it is given up once");
    const audited = await holdfast("audit", "--session", id, "--kind", "session_ended", "--json");
    const lost = await holdfast("audit", "--user", "alice", "--kind", "store_rolled_back", "--json");
    assert.equal((JSON.parse(lost.out) as { session: string }).session, id);
    assert.equal((await holdfast("audit", "--user", "bob", "--kind", "store_rolled_back", "--json")).out, "");
    const { subject } = JSON.parse(audited.out) as { subject: string | null };
    assert.notEqual(subject, null);
  });
}
