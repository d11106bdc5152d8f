import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { createMint } from "../../../src/testing/index.ts";
import { makeCertificate } from "./certificate.ts";

/*
 * The recipes of docs/run/networks.md, each in a fresh process: only a real proxy knows the way to the provider, whose
 * certificate comes from an authority that no system trusts.
 */

const host = "id.holdfast.test";
const issuer = `https://${host}`;
const audience = "https://api.example.com";
const day = 86_400_000;

/** Starts the provider and the CONNECT proxy, and writes the certificate of the authority into a file. */
async function makeNetwork(t: TestContext) {
  const mint = await createMint({ issuer, audience });
  const certificate = makeCertificate({ host, from: Date.now() - day, to: Date.now() + day });
  const provider = createServer({ ...certificate }, (req, res) => {
    const isQuestion = req.url === "/introspect";
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(isQuestion ? { active: true, sub: "user" } : mint.jwks()));
  });
  const tunnels: string[] = [];
  const proxy = createHttpServer().on("connect", (req, client) => {
    tunnels.push(req.url ?? "");
    const upstream = connect((provider.address() as AddressInfo).port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [upstream, client]) socket.on("error", () => client.destroy());
  });
  for (const server of [provider, proxy]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
  }
  const folder = await mkdtemp(join(tmpdir(), "holdfast-network-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const authorityFile = join(folder, "authority.pem");
  await writeFile(authorityFile, certificate.cert);
  const { port } = proxy.address() as AddressInfo;
  return { mint, tunnels, authorityFile, proxyUrl: `http://127.0.0.1:${port}` };
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
