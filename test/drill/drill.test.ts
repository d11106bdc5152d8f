import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { protect } from "../../src/adapters/node-http.ts";
import { introspection } from "../../src/guard/authority/introspection.ts";
import { createGuard, jwks } from "../../src/index.ts";
import { createProvider } from "../../src/testing/index.ts";
import { cli } from "../support/cli.ts";

interface Drill {
  readonly process: ChildProcess;
  readonly output: () => string;
  /** Resolves with the exit code. */
  readonly over: Promise<number | null>;
}

function drill(t: TestContext, args: readonly string[], input = ""): Drill {
  const child = spawn(process.execPath, ["--no-warnings", cli, "drill", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGTERM"));
  child.stdin.end(input);
  let output = "";
  child.stdout.on("data", (bytes) => (output += bytes));
  child.stderr.on("data", (bytes) => (output += bytes));
  const over = once(child, "close").then(() => child.exitCode);
  return { process: child, output: () => output, over };
}

/** Waits until the condition holds. The processes are real, so there is no clock to advance. */
async function until(holds: () => boolean, output: () => string): Promise<void> {
  const began = performance.now();
  while (!holds()) {
    assert.ok(performance.now() - began < 60_000, output());
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("law 1: no good token gets a 401 and no connection is closed while the authority is down, frozen, flapping or slow", async (t) => {
  const told = drill(t, ["--seconds", "2", "--connections", "60"]);
  const code = await told.over;
  const output = told.output();
  const phases = [...output.matchAll(/^(\w+) +\d+ +\d+ +\d+ +\d+ +(\d+) /gm)].map(([, name, refused]) => [
    name,
    refused,
  ]);
  const names = ["steady", "down", "restored", "frozen", "restored", "flapping", "restored", "slow"];
  assert.deepEqual(
    phases,
    names.map((name) => [name, "0"]),
    output,
  );
  assert.match(output, /^down .* d+$/m);
  for (const line of [
    /^passed no good token is refused: 0 false 401 in \d{3,}/m,
    /^passed every 503 has Retry-After/m,
    /^passed recovers automatically/m,
    /^passed every good token is served throughout: 0 were not/m,
    /^passed a token revoked in the log while the authority is down is refused/m,
    /^passed a token revoked at the provider before it froze is refused/m,
    /^passed a refused token stays refused/m,
    /^passed no connection is dropped: 0 of 60 were/m,
    /^passed every message over a connection is answered: 0 of \d+ messages were not/m,
    /^passed connections of a token revoked in the log are closed within 1 s: [1-9]/m,
    /^passed connections of a token revoked at the provider are closed within 15 s: [1-9]/m,
  ]) {
    assert.match(output, line);
  }
  assert.equal(code, output.includes("FAILED") ? 1 : 0);
  assert.doesNotMatch(output, /eyJ/);
});

const proc = { skip: existsSync("/proc/self/stat") ? false : "no /proc here" };

const endings = [
  ["interrupted", "SIGINT"],
  ["killed", "SIGKILL"],
] as const;

for (const [ended, signal] of endings) {
  test(`a drill that is ${ended} leaves no process behind, including a frozen one`, proc, async (t) => {
    const { process: child, output, over } = drill(t, ["--seconds", "1"]);
    const children = () =>
      readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    const stateOf = (pid: string) => {
      try {
        return / ([A-Z]) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
      } catch {
        return "Z"; // The process has ended since it was listed.
      }
    };
    await until(() => children().some((pid) => stateOf(pid) === "T"), output);
    const pids = children();
    assert.equal(pids.length, 2);
    child.kill(signal);
    if (signal === "SIGINT") {
      assert.equal(await over, 1);
      assert.match(output(), /holdfast: interrupted\n$/);
      for (const pid of pids) assert.equal(existsSync(`/proc/${pid}`), false);
    }
    // Without its parent, an ended process may stay listed as a zombie.
    await until(() => pids.every((pid) => stateOf(pid) === "Z"), output);
  });
}

test("law 1: the drill tests a service of the user through a proxy before its authority", async (t) => {
  const audience = "https://api.example.com";
  const provider = await createProvider({ audience });
  await provider.listen();
  t.after(async () => await provider.close());
  let handler: RequestListener = (_, res) => res.writeHead(503, { "Retry-After": "1" }).end();
  const server = createServer((req, res) => handler(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;
  const tokens = Array.from({ length: 40 }, () => provider.token());
  const args = ["--seconds", "1", "--target", target, "--authority", provider.url("introspection")];
  const { output, over } = drill(t, args, tokens.join("\n"));
  await until(() => output().includes("waiting: the service answers 503"), output);
  const url = /authority at (http:\/\/127\.0\.0\.1:\d+\/introspect)\n/.exec(output())?.[1] ?? "";
  assert.notEqual(url, provider.url("introspection"));
  const { issuer, clientId, clientSecret } = provider;
  const guard = createGuard({
    issuer,
    audience,
    keys: jwks(provider.url("jwks")),
    authority: introspection({ url, clientId, clientSecret }),
    memory: { ttlMs: 500 },
  });
  t.after(async () => await guard.close());
  handler = protect(guard, {}, (_, res) => res.end());
  assert.equal(await over, 0, output());
  // Degraded mode is off. A token that is not in memory gets 503, and no token gets 401.
  assert.match(output(), /^down +\d+ +\d+ +0 +[1-9]\d* +0 /m);
  assert.match(output(), /^passed no good token is refused: 0 false 401/m);
  assert.doesNotMatch(output(), /FAILED|^slow|eyJ/m);
});

test("an authority behind TLS keeps its host name, and a name without an address is an error", async (t) => {
  const at = (url: string) => ["--target", "http://127.0.0.1:1", "--authority", url];
  const { process: child, output, over } = drill(t, at("https://localhost:9/introspect"), "token");
  await until(() => output().includes("waiting"), output);
  assert.match(
    output(),
    /at https:\/\/localhost:\d+\/introspect, and point localhost to 127\.0\.0\.1 in the hosts/,
  );
  child.kill("SIGTERM");
  assert.equal(await over, 1);
  const nowhere = drill(t, at("https://nowhere.invalid/introspect"), "token");
  assert.equal(await nowhere.over, 1);
  assert.match(nowhere.output(), /^holdfast: nowhere\.invalid cannot be resolved\n$/);
});

const misunderstood: [string[], RegExp][] = [
  [["--seconds", "0"], /--seconds must be a whole number from 1 to 3600/],
  [["--rate", "fast"], /--rate must be a whole number from 1 to 1000/],
  [["--target", "http://127.0.0.1:1"], /--target and --authority go together/],
  [["--target", "x", "--authority", "http://127.0.0.1:1"], /--target must be a URL/],
  [["--target", "http://127.0.0.1:1", "--authority", "x"], /--authority must be a URL/],
  [["--target", "http://127.0.0.1:1", "--authority", "http://127.0.0.1:1"], /must hold at least one token/],
];
for (const [args, message] of misunderstood) {
  test(`"holdfast drill ${args.join(" ")}" is not understood: exit code 2 and the reason`, async (t) => {
    const { output, over } = drill(t, args);
    assert.equal(await over, 2);
    assert.match(output(), message);
  });
}
