import assert from "node:assert/strict";
import { once } from "node:events";
import { registerHooks } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { startService } from "../../../src/server/serve.ts";
import { temporarySettings } from "../temporary-settings.ts";

test("fault 74: a service on Redis loads its package before it opens a port, and a service on a file never loads it", async (t) => {
  let loads = 0;
  const hooks = registerHooks({
    resolve(name, context, next) {
      if (name === "redis") loads++;
      return next(name, context);
    },
  });
  t.after(() => hooks.deregister());
  const occupant = createServer().listen(0, "127.0.0.1");
  t.after(() => void occupant.close());
  await once(occupant, "listening");
  // No service gets past its occupied port.
  const HOLDFAST_PORT = String((occupant.address() as AddressInfo).port);
  const isInUse = { code: "invalid_option", message: /is in use/ };
  await assert.rejects(startService(await temporarySettings({ HOLDFAST_PORT })), isInUse);
  assert.equal(loads, 0);
  const onRedis = await temporarySettings({
    HOLDFAST_PORT,
    HOLDFAST_STORE: "redis",
    REDIS_URL: "redis://127.0.0.1:1",
    HOLDFAST_SECRET: "a secret of this test with enough characters",
  });
  await assert.rejects(startService(onRedis), isInUse);
  assert.equal(loads, 1);
});
