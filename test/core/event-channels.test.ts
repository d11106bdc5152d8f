import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DecisionEvent } from "../../src/core/events.ts";

const issuer = "https://id.example.com";
const root = new URL("../../", import.meta.url);
const declarations = ["event-channels", "operation-channels"]
  .map((file) => readFileSync(new URL(`src/core/${file}.ts`, root), "utf8"))
  .join("\n");
/** Every channel of the library. */
const channels = [...declarations.matchAll(/channel\("(holdfast:\w+)"\)/g)].map(([, name = ""]) => name);

/** Validates a token of each kind, logs in a user, and prints whether any channel has a subscriber. */
const program = `
  import { hasSubscribers } from "node:diagnostics_channel";
  import { createGuard, staticKeys } from "${new URL("src/index.ts", root).href}";
  import { createMint } from "${new URL("src/testing/index.ts", root).href}";

  const [issuer, audience] = ["${issuer}", "https://api.example.com"];
  const mint = await createMint({ issuer, audience });
  const guard = createGuard({ name: "debugged", issuer, audience, keys: staticKeys(mint.jwks()) });
  const token = mint.token({ sub: "alice" });
  await guard.validate(token);
  await guard.validate(token.slice(0, -4) + "AAAA");
  await guard.close();
  const names = ${JSON.stringify(channels)};
  console.log(JSON.stringify({ token, subscribed: names.filter((name) => hasSubscribers(name)) }));
`;

async function run(nodeDebug: string): Promise<{ stderr: string; token: string; subscribed: string[] }> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--no-warnings", "--conditions=holdfast-source", "--input-type=module-typescript", "--eval", program],
    { cwd: fileURLToPath(root), env: { ...process.env, NODE_DEBUG: nodeDebug } },
  );
  return { stderr, ...(JSON.parse(stdout) as { token: string; subscribed: string[] }) };
}

test("law 5: NODE_DEBUG=holdfast prints the events to stderr without any part of a token", async () => {
  const { stderr, token, subscribed } = await run("holdfast");
  assert.ok(channels.length > 10);
  assert.deepEqual(subscribed, channels);
  const lines = stderr.trimEnd().split("\n");
  for (const line of lines) assert.match(line, /^HOLDFAST \d+: holdfast:(guard|decision) \{.*\}$/);
  const decisions = lines
    .filter((line) => line.includes("holdfast:decision"))
    .map((line) => JSON.parse(line.slice(line.indexOf("{"))) as DecisionEvent);
  for (const { durationMs } of decisions) assert.ok(durationMs !== null && durationMs > 0);
  const common = { guard: "debugged", from: "verification", degraded: false };
  assert.deepEqual(
    decisions.map((decision) => ({ ...decision, durationMs: undefined })),
    [
      { ...common, issuer, status: "valid", detail: null, basis: "verification", durationMs: undefined },
      {
        ...common,
        issuer: null,
        status: "invalid",
        detail: "bad_signature",
        basis: null,
        durationMs: undefined,
      },
    ],
  );
  for (const part of token.split(".")) assert.ok(!stderr.includes(part));
});

test("without NODE_DEBUG=holdfast no channel has a subscriber", async () => {
  for (const nodeDebug of ["", "http"]) {
    const { stderr, subscribed } = await run(nodeDebug);
    assert.deepEqual(subscribed, []);
    assert.ok(!stderr.includes("HOLDFAST"));
  }
});
