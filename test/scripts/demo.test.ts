import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { within } from "../support/deadline.ts";

const script = fileURLToPath(new URL("../../scripts/demo.ts", import.meta.url));
const ROUND_MS = 200_000;

test("npm run demo pulls the authority and puts it back, and ends everything that it started", async () => {
  const child = spawn(process.execPath, ["--no-warnings", script, "--script", "--seconds", "10"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const whole = Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    const [out, err, [code]] = await within(whole, ROUND_MS, "the end of the demo");
    assert.equal(code, 0, `${out}\n${err}`);
    const [, before = "", during = "", after = ""] =
      /^([^]*)--- pulled([^]*)--- put back([^]*)$/.exec(out) ?? [];
    assert.match(before, /^dashboard +http:\/\/127\.0\.0\.1:\d+$/m);
    assert.match(before, /sockets 20/);
    assert.match(
      during,
      /The authority of \S+ has not answered.*: its tokens are accepted without the authority/,
    );
    assert.match(after, /everything that the demo started has ended\n$/);
    // The services of the demo no longer listen.
    for (const [, url = ""] of before.matchAll(/(http:\/\/127\.0\.0\.1:\d+)/g))
      await assert.rejects(fetch(url));
  } finally {
    child.kill("SIGKILL");
  }
});
