import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { measureUntil } from "./auth-calls.ts";
import { waitForExit } from "./child-exit.ts";
import { waitUntil, within } from "./deadline.ts";
import { freePort } from "./free-port.ts";
import { noRedis, RedisServer } from "./redis-servers.ts";

const never = async () => await new Promise<boolean>(() => {});

test("a wait for an attempt that never settles ends at its deadline and says what was awaited", async () => {
  await assert.rejects(waitUntil(never, "a reply", 30), /^Error: a reply: not within 30 ms$/);
  await assert.rejects(within(never(), 30, "a reply"), /^Error: a reply: not within 30 ms$/);
  assert.equal(await measureUntil(never, 30), Number.POSITIVE_INFINITY);
});

test("a wait ends at its deadline when every attempt says no, and rejects with the error of an attempt", async () => {
  await assert.rejects(
    waitUntil(async () => false, "a reply", 30),
    /a reply: not within 30 ms/,
  );
  const fails = async () => await Promise.reject<boolean>(new Error("refused"));
  await assert.rejects(waitUntil(fails, "a reply", 20_000), /^Error: refused$/);
});

test("a wait for a process that has already ended resolves with its code or its signal", async () => {
  const killed = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1_000)"]);
  killed.kill("SIGKILL");
  assert.equal(await waitForExit(killed, "a process"), "SIGKILL");
  assert.equal(await waitForExit(killed, "a process"), "SIGKILL");
});

test("processes that ask for ports at the same time get separate ones", async () => {
  const own = await Promise.all(Array.from({ length: 60 }, freePort));
  const code = `import { freePort } from ${JSON.stringify(import.meta.resolve("./free-port.ts"))};
    const ports = await Promise.all(Array.from({ length: 60 }, freePort));
    console.log(JSON.stringify(ports));`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
    encoding: "utf8",
    timeout: 60_000,
  });
  const all = [...own, ...(JSON.parse(stdout) as number[])];
  assert.equal(new Set(all).size, 120);
});

test("a Redis server that ends at its start is reported with its reason", { skip: noRedis }, async () => {
  await assert.rejects(
    RedisServer.start(["no-such-setting 1"]),
    /redis-server on \d+ ended:[^]*no-such-setting/,
  );
});
