import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createFaultProxy } from "../../src/testing/index.ts";

/** Far longer than a run takes, for a process that never exits. */
const TIMEOUT_MS = 60_000;

test("a process exits after closing its proxies at any moment of a connection's end", () => {
  const program = join(import.meta.dirname, "proxy-endings.ts");
  const { signal, status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", program], {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  assert.deepEqual({ signal, status, stderr }, { signal: null, status: 0, stderr: "" });
  assert.equal(stdout, "936 cases\n");
});

/** A server that accepts no connection. When its backlog is full, a new connection waits for minutes. */
const unresponsiveServer = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:net").createServer();
  server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

test("close() aborts connections that the target has not accepted", { timeout: TIMEOUT_MS }, async (t) => {
  const worker = new Worker(unresponsiveServer, { eval: true });
  t.after(async () => await worker.terminate());
  const [port] = (await once(worker, "message")) as [number];
  const proxy = await createFaultProxy({ target: `http://127.0.0.1:${port}` });
  const clients = Array.from({ length: 6 }, () => connect(proxy.port, "127.0.0.1"));
  const cut = clients.map(async (client) => {
    await new Promise((resolve) => client.on("error", () => {}).once("close", resolve));
  });
  while (proxy.connections.open < clients.length) await new Promise((resolve) => setImmediate(resolve));
  await proxy.close();
  await Promise.all(cut);
});
