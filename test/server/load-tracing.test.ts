import assert from "node:assert/strict";
import { test } from "node:test";
import { openLogger } from "../../src/server/logs.ts";
import { startService } from "../../src/server/serve.ts";
import { registerSdk } from "../metrics/tracing-fixture.ts";
import { temporarySettings } from "./temporary-settings.ts";

test("a service with traces and without an SDK warns that no span is recorded", async () => {
  const warnings = async (traces: string) => {
    const lines: string[] = [];
    const log = openLogger("warn", { write: (line) => void lines.push(line) });
    await (await startService(await temporarySettings({ HOLDFAST_TRACES: traces }), log)).stop();
    return lines.filter((line) => line.includes("no tracer provider is registered"));
  };
  assert.equal((await warnings("off")).length, 0);
  assert.equal((await warnings("on")).length, 1);
  assert.match((await warnings("propagate"))[0] ?? "", /HOLDFAST_TRACES is propagate.*--import/);
  registerSdk();
  assert.equal((await warnings("on")).length, 0);
});
