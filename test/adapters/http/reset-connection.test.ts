import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import * as hono from "../../../src/adapters/hono-issuer.ts";
import { mountIssuer } from "../../../src/adapters/node-http.ts";
import { addPlainAnswers, type RequestFacts } from "../../../src/core/plain-http.ts";
import { createFixture } from "../../issuer/fixture.ts";
import { waitUntil } from "../../support/deadline.ts";
import { sendAndResetDuringPause } from "../../support/reset-client.ts";

type See = (facts: RequestFacts | undefined) => void;

const servers: Readonly<Record<string, (see: See) => Server>> = {
  "node:http with plain answers": (see) => {
    const response = { status: 204, headers: {}, body: null };
    const findAnswer = () => async (_: object, facts: RequestFacts) => {
      see(facts);
      return await Promise.resolve(response);
    };
    const fetch = addPlainAnswers(async () => await Promise.reject(new Error("unused")), findAnswer);
    return createServer(mountIssuer({ ...mounted, fetch })).listen(0, "127.0.0.1");
  },
  "node:http by a fetch handler": (see) =>
    createServer(mountIssuer({ ...mounted, fetch: seeingFetch(see) })).listen(0, "127.0.0.1"),
  Hono: (see) => {
    const app = new Hono().use(hono.mountIssuer({ ...mounted, fetch: seeingFetch(see) }));
    return serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
  },
};

const mounted = { name: "issuer", paths: ["/auth/login"] };

function seeingFetch(see: See) {
  return async (_: Request, facts?: RequestFacts) => {
    see(facts);
    return await Promise.resolve(new Response(null, { status: 204 }));
  };
}

for (const [name, listen] of Object.entries(servers)) {
  test(`${name}: the signal is aborted from the start when the client reset the connection during a pause of the process`, async (t) => {
    const seen: unknown[] = [];
    const server = listen((facts) => seen.push({ source: facts?.source, isAborted: facts?.signal?.aborted }));
    t.after(() => server.close());
    if (!server.listening) await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const text = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    sendAndResetDuringPause(String(port), text);
    await waitUntil(async () => await Promise.resolve(seen.length > 0), "the request");
    assert.deepEqual(seen, [{ source: undefined, isAborted: true }]);
  });
}

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
