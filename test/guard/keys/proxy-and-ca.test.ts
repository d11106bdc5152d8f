import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { createMint } from "../../../src/testing/index.ts";
import { openProviderNetwork } from "../../support/provider-network.ts";

/*
 * The recipes of docs/run/networks.md, each in a fresh process: only a real proxy knows the way to the provider, whose
 * certificate comes from an authority that no system trusts.
 */

const host = "id.holdfast.test";
const issuer = `https://${host}`;
const audience = "https://api.example.com";

/** Starts the provider, which is behind the proxy, with keys and an introspection endpoint. */
async function makeNetwork(t: TestContext) {
  const mint = await createMint({ issuer, audience });
  const network = await openProviderNetwork(t, host, (path) =>
    path === "/introspect" ? { active: true, sub: "user" } : mint.jwks(),
  );
  return { mint, ...network };
}

/** Validates the token in a fresh process, and returns the verdict in a word, with the error of the keys. */
async function validateIn(env: Record<string, string>, token: string, setUp = ""): Promise<string> {
  const program = `
    ${setUp}
    const { createGuard, introspection, jwks } = await import("holdfast");
    const guard = createGuard({
      issuer: "${issuer}",
      audience: "${audience}",
      keys: jwks("${issuer}/keys"),
      authority: introspection({ url: "${issuer}/introspect", clientId: "g", clientSecret: "s" }),
      warnings: false,
    });
    const verdict = await guard.validate(process.argv[1]);
    const { lastError } = guard.status().issuers[0].keys;
    console.log(verdict.status === "valid" ? "valid" : (verdict.reason ?? verdict.cause) + " " + lastError);
    await guard.close();`;
  const args = ["--no-warnings", "--conditions=holdfast-source", "--input-type=module", "--eval", program];
  const inherited = { PATH: process.env["PATH"] ?? "", ...env };
  const { stdout } = await promisify(execFile)(process.execPath, [...args, token], { env: inherited });
  return stdout.trim();
}

test("the variables of Node lead a guard through a CONNECT proxy, and let it trust a private authority", async (t) => {
  const { mint, tunnels, authorityFile, proxyUrl } = await makeNetwork(t);
  const through = { NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: proxyUrl };
  const outcome = await validateIn({ ...through, NODE_EXTRA_CA_CERTS: authorityFile }, mint.token());
  assert.equal(outcome, "valid");
  assert.deepEqual(new Set(tunnels), new Set([`${host}:443`]));
});

test("without the proxy, or without the authority, the token is unavailable and the status says why", async (t) => {
  const { mint, tunnels, authorityFile, proxyUrl } = await makeNetwork(t);
  const direct = await validateIn({ NODE_EXTRA_CA_CERTS: authorityFile }, mint.token());
  assert.match(direct, /^(?:keys|authority)_unavailable (?:ENOTFOUND|EAI_AGAIN)$/);
  assert.deepEqual(tunnels, []);
  const distrusting = await validateIn({ NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: proxyUrl }, mint.token());
  assert.match(
    distrusting,
    /^(?:keys|authority)_unavailable (?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_VERIFY)/,
  );
});

test("a program can trust a private authority without a variable", async (t) => {
  const { mint, authorityFile, proxyUrl } = await makeNetwork(t);
  const setUp = `
    const { readFileSync } = await import("node:fs");
    const { getCACertificates, setDefaultCACertificates } = await import("node:tls");
    setDefaultCACertificates([...getCACertificates(), readFileSync(${JSON.stringify(authorityFile)}, "utf8")]);`;
  const through = { NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: proxyUrl };
  assert.equal(await validateIn(through, mint.token(), setUp), "valid");
});
