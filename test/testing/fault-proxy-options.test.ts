import assert from "node:assert/strict";
import { test } from "node:test";
import { createFaultProxy } from "../../src/testing/index.ts";

test("createFaultProxy rejects unknown and malformed options and modes by name", async (t) => {
  const wrong: [object, RegExp][] = [
    [{ target: "127.0.0.1" }, /target must be a URL with a host and a port/],
    [{ target: "tcp://127.0.0.1" }, /target must be a URL with a host and a port/],
    [{ target: "http://127.0.0.1:1", port: 2 }, /no option "port"/],
    [{ target: "http://127.0.0.1:1", clock: {} }, /needs clock with now\(\)/],
  ];
  for (const [options, message] of wrong) {
    await assert.rejects(createFaultProxy(options as { target: string }), message);
  }
  const proxy = await createFaultProxy({ target: "http://127.0.0.1:1" });
  t.after(async () => await proxy.close());
  assert.throws(() => proxy.set({ kind: "stop" as "pass" }), /mode: kind must be pass, refuse/);
  assert.throws(
    () => proxy.set({ kind: "latency", ms: -1 }),
    /mode: ms must be a whole number of at least 1/,
  );
  assert.throws(() => proxy.set({ kind: "latency" } as never), /mode: ms must be/);
  assert.throws(() => proxy.set({ kind: "pass", ms: 1 } as never), /mode has no option "ms"/);
});
