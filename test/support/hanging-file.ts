import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { before, describe, test } from "node:test";

/* A test file that never ends, for the test of the watchdog: a hook waits for a connection that never comes. */

test("a test that passes", () => {});

describe("a suite", () => {
  before(async () => {
    const child = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1_000)"]);
    console.log(`child ${child.pid}`);
    await once(createServer().listen(0, "127.0.0.1"), "connection");
  });

  test("a test that never starts", () => {});
});
