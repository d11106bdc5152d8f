import assert from "node:assert/strict";
import { test } from "node:test";
import { createMint } from "../../../src/testing/index.ts";
import { runHoldfast } from "../../cli/cli-process.ts";
import { temporaryDataDir } from "../../server/temporary-settings.ts";

const mint = await createMint({ issuer: "http://127.0.0.1:4180", audience: "http://127.0.0.1:4180" });

test("doctor token --issuer says in what the issuer of the token differs from that of the guard", async () => {
  const data = await temporaryDataDir();
  const args = ["doctor", "token", "--issuer", "http://localhost:4180"];
  const { out, code } = await runHoldfast(args, { data, input: mint.token() });
  assert.equal(code, 1);
  assert.match(
    out,
    /is not http:\/\/localhost:4180: they differ by two names of this machine\n +→ if tokens of both are good, set/,
  );
  assert.doesNotMatch(out, /createGuard/);
});

test("doctor token advises a token of the own issuer, and another issuer only if its tokens are good", async () => {
  const data = await temporaryDataDir();
  const input = mint.token({ iss: "https://evil.example.com" });
  for (const [args, settings] of [
    [["--issuer", "https://id.example.com"], {}],
    [[], { HOLDFAST_URL: "https://id.example.com" }],
  ] as const) {
    const { out, code } = await runHoldfast(["doctor", "token", ...args], { data, settings, input });
    assert.equal(code, 1);
    assert.match(out, /they are different issuers/);
    assert.match(
      out,
      /→ get a token of https:\/\/id\.example\.com; only if tokens of the other issuer are good, set/,
    );
  }
});

test("doctor token proposes lines beside settings that it cannot read only for the issuer in --issuer", async () => {
  const data = await temporaryDataDir();
  const settings = { HOLDFAST_ROLES: "unknown" };
  const run = async (...args: string[]) =>
    await runHoldfast(["doctor", "token", ...args], { data, settings, input: mint.token() });
  const { out } = await run();
  assert.match(out, /settings were not used/);
  assert.doesNotMatch(out, /createGuard|the lines/);
  assert.match((await run("--issuer", "http://127.0.0.1:4180")).out, /createGuard/);
});

test("doctor token refuses a token of another address than HOLDFAST_URL, and proposes no lines for it", async () => {
  const data = await temporaryDataDir();
  const settings = { HOLDFAST_URL: "https://api.example.com" };
  const { out, code } = await runHoldfast(["doctor", "token"], { data, settings, input: mint.token() });
  assert.equal(code, 1);
  assert.match(out, /is not https:\/\/api\.example\.com/);
  assert.doesNotMatch(out, /createGuard/);
});
