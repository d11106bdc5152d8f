import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { mountIssuer } from "../../../src/adapters/node-http.ts";
import { addPlainAnswers, type RequestFacts } from "../../../src/core/plain-http.ts";
import { createFixture } from "../../issuer/fixture.ts";
import { waitUntil } from "../../support/deadline.ts";

/** Sends a login and resets the connection. The parent does not accept the connection before this process ends. */
const RESET_CLIENT = `
  const [port, text] = process.argv.slice(1);
  const socket = require("node:net").connect(Number(port), "127.0.0.1", () => socket.write(text, () => socket.resetAndDestroy()));`;

test("the signal is aborted from the start when the client reset the connection during a pause of the process", async (t) => {
  const seen: unknown[] = [];
  const response = { status: 204, headers: {}, body: null };
  const findAnswer =
    () =>
    async (_: object, { source, signal }: RequestFacts) => {
      seen.push({ source, isAborted: signal?.aborted });
      return await Promise.resolve(response);
    };
  const fetch = addPlainAnswers(async () => await Promise.reject(new Error("unused")), findAnswer);
  const server = createServer(mountIssuer({ name: "issuer", paths: ["/auth/login"], fetch })).listen(
    0,
    "127.0.0.1",
  );
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const text = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
  // `spawnSync` pauses this process, as a stopped service is paused.
  assert.equal(spawnSync(process.execPath, ["-e", RESET_CLIENT, String(port), text]).status, 0);
  await waitUntil(async () => await Promise.resolve(seen.length > 0), "the request");
  assert.deepEqual(seen, [{ source: undefined, isAborted: true }]);
});

test("fault 61: a login without an address is checked over a Unix socket, where no connection has one", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-unix-"));
  const path = join(folder, "socket");
  const { issuer } = createFixture();
  const server = createServer(mountIssuer(issuer)).listen(path);
  t.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  await once(server, "listening");
  const socket = connect(path);
  const body = JSON.stringify({ username: "alice", password: "wrong" });
  const fields = ["Host: a", "Content-Type: application/json", `Content-Length: ${body.length}`];
  socket.write(["POST /auth/login HTTP/1.1", ...fields, "", body].join("\r\n"));
  const [part] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  assert.match(part.toString(), /^HTTP\/1.1 401 /);
});
