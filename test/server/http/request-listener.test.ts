import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { startService } from "../../../src/server/serve.ts";
import { temporarySettings } from "../temporary-settings.ts";

async function started(t: TestContext): Promise<[publicAddress: string, adminAddress: string]> {
  const running = await startService(await temporarySettings());
  t.after(running.stop);
  return [running.publicAddress, running.adminAddress];
}

/** Sends raw bytes and returns the whole answer. */
async function send(address: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  return await text(socket);
}

const close = "Connection: close\r\n\r\n";
const wrong: [what: string, bytes: string, status: number, says: RegExp][] = [
  ["what is no HTTP", "\x16\x03\x01\r\n\r\n", 400, /not a well-formed HTTP request/],
  ["a method nobody knows", `FOO / HTTP/1.1\r\nHost: a\r\n${close}`, 400, /well-formed HTTP/],
  [
    "a body whose length is told twice",
    `POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n${close}`,
    400,
    /well-formed HTTP/,
  ],
  [
    "headers of 40 KB",
    `GET /verify HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(40_000)}\r\n${close}`,
    431,
    /too large/,
  ],
  ["a host of nonsense", `GET /auth/sessions HTTP/1.1\r\nHost: a b/c\\\r\n${close}`, 400, /well-formed URL/],
  [
    "a host of digits",
    `POST /auth/login HTTP/1.1\r\nHost: ${"9".repeat(30)}\r\n${close}`,
    400,
    /well-formed URL/,
  ],
  ["two hosts", `GET /health/live HTTP/1.1\r\nHost: a\r\nhost: a\r\n${close}`, 400, /one Host line/],
  ["a path that is no URL", `GET http://[/x HTTP/1.1\r\nHost: a\r\n${close}`, 400, /well-formed URL/],
];
test("a malformed request gets the usual error form, and the service goes on", async (t) => {
  for (const address of await started(t)) {
    for (const [what, bytes, status, says] of wrong) {
      const answer = await send(address, bytes);
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), what);
      assert.match(answer, /\r\ncontent-type: application\/json\r\n/i, what);
      const body = JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1)) as object;
      assert.deepEqual(Object.keys(body), ["error", "error_description"], what);
      assert.match(JSON.stringify(body), says, what);
      assert.doesNotMatch(answer, /at .*\.ts|node_modules/);
    }
  }
});

test("answers an HTTP/1.0 probe without a Host", async (t) => {
  const [publicAddress] = await started(t);
  assert.match(await send(publicAddress, "GET /health/live HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 200 OK/);
});

test("garbage after a complete request does not change its answer", async (t) => {
  const [publicAddress] = await started(t);
  const answer = await send(publicAddress, "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n");
  assert.match(answer, /^HTTP\/1.1 (?:200 OK|400 Bad Request)\r\n/);
  assert.equal(answer.match(/content-length: /gi)?.length, answer.match(/HTTP\/1.1 \d/g)?.length);
});

test("both listeners answer 405 with Allow for a wrong method, and 404 for a wrong path", async (t) => {
  const [publicAddress, adminAddress] = await started(t);
  for (const url of [
    `${publicAddress}/health/live`,
    `${publicAddress}/health/ready`,
    `${adminAddress}/`,
    `${adminAddress}/health`,
    `${adminAddress}/cache/health`,
  ]) {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const response = await fetch(url, { method });
      assert.equal(response.status, 405, `${method} ${url}`);
      assert.equal(response.headers.get("allow"), "GET, HEAD");
      assert.equal(((await response.json()) as { error: string }).error, "invalid_request");
    }
    assert.equal((await fetch(url, { method: "HEAD" })).status, 200);
  }
  for (const url of [`${publicAddress}/nowhere`, `${adminAddress}/nowhere`]) {
    const response = await fetch(url);
    assert.equal(response.status, 404);
    assert.equal(((await response.json()) as { error: string }).error, "not_found");
  }
});

test("law 6: the rest of a body that nobody reads is read up to a limit, and the answer arrives", async (t) => {
  const [publicAddress] = await started(t);
  const { hostname, port } = new URL(publicAddress);
  for (const path of ["/elsewhere", "/health/live", "/auth/login"]) {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined); // The service resets the connection under the last writes.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n`;
    socket.write(head);
    let answer = "";
    socket.on("data", (part) => (answer += part.toString()));
    const body = Buffer.alloc(1024 * 1024);
    for (let sent = 0; sent < 64 && !socket.destroyed; sent++) {
      const drained = new Promise((resolve) => socket.once("drain", resolve));
      if (!socket.write(body)) await Promise.race([drained, closed]);
    }
    await closed;
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, path);
    assert.ok(socket.bytesWritten < 32 * body.length, `${socket.bytesWritten} bytes were taken at ${path}`);
  }
});
