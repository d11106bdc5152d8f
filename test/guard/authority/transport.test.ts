import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createTlsServer } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { setDefaultCACertificates } from "node:tls";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../../src/core/clock.ts";
import type { Authority, AuthoritySource } from "../../../src/guard/authority/authority.ts";
import { introspection } from "../../../src/guard/authority/introspection.ts";
import { tokenValidation } from "../../../src/guard/authority/token-validation.ts";
import { createFaultProxy, createProvider } from "../../../src/testing/index.ts";
import { makeCertificate } from "../keys/certificate.ts";

/*
 * The same guarantees over real sockets, with the platform's own `fetch`.
 */

const unavailable = { status: "unavailable", cause: "authority_unavailable", retryAfterMs: 1000 };

function open(t: TestContext, source: AuthoritySource): Authority {
  const authority = source.open({
    guard: t.name,
    issuer: "https://id.example.com",
    clock: systemClock,
    random: Math.random,
  });
  t.after(() => authority.close());
  return authority;
}

async function makeProvider(t: TestContext) {
  const provider = await createProvider({ issuer: "https://id.example.com", audience: "api" });
  await provider.listen();
  t.after(async () => await provider.close());
  const { clientId, clientSecret, bearer: bearerToken } = provider;
  const url = { introspection: provider.url("introspection"), validate: provider.url("validate") };
  return { provider, url, client: { clientId, clientSecret }, bearerToken };
}

for (const auth of ["basic", "post", "bearer"] as const) {
  test(`a provider answers about JWTs and opaque tokens with auth ${auth}`, async (t) => {
    const { provider, url, client, bearerToken } = await makeProvider(t);
    const who =
      auth === "bearer"
        ? { bearerToken: async () => await Promise.resolve(bearerToken) }
        : { auth, ...client };
    const sources = [introspection({ url: url.introspection, ...who })];
    if (auth !== "post") sources.push(tokenValidation({ url: url.validate, ...who }));
    for (const source of sources) {
      const authority = open(t, source);
      for (const token of [provider.token({ sub: "alice" }), provider.opaqueToken({ sub: "alice" })]) {
        const answer = await authority.ask(token);
        assert.ok(answer.status === "yes");
        assert.equal(answer.claims.sub, "alice");
        provider.revoke(token);
        assert.deepEqual(await authority.ask(token), { status: "no" });
      }
    }
  });
}

test("fault 20: wrong credentials are a misconfiguration", async (t) => {
  const { provider, url, client } = await makeProvider(t);
  const authority = open(t, introspection({ url: url.introspection, ...client, clientSecret: "another" }));
  assert.deepEqual(await authority.ask(provider.token()), {
    ...unavailable,
    cause: "authority_misconfigured",
  });
});

for (const answer of [
  "html",
  "no-content",
  "empty",
  "truncated",
  "wrong-schema",
  "string-booleans",
  "huge",
  "redirect",
  "endless",
  "slow-loris",
] as const) {
  test(`${answer === "slow-loris" ? "fault 17" : "fault 19"}: the response ${answer} over the network is unavailable, for both protocols`, async (t) => {
    const { provider, url, client } = await makeProvider(t);
    provider.fault("all", { answer });
    for (const source of [
      introspection({ url: url.introspection, timeoutMs: 500, ...client }),
      tokenValidation({ url: url.validate, timeoutMs: 500, ...client }),
    ]) {
      assert.deepEqual(await open(t, source).ask(provider.token()), unavailable);
    }
    assert.equal(provider.counts("introspection").requests, 1);
  });
}

for (const mode of [
  { kind: "refuse" },
  { kind: "black-hole" },
  { kind: "slow-loris" },
  { kind: "reset" },
  { kind: "truncate", bytes: 100 },
] as const) {
  test(`fault ${mode.kind === "slow-loris" ? 17 : 16}: the network fault ${mode.kind} makes a token unavailable, and the authority answers afterwards`, async (t) => {
    const { provider, url, client } = await makeProvider(t);
    const proxy = await createFaultProxy({ target: url.introspection });
    t.after(async () => await proxy.close());
    const authority = open(t, introspection({ url: proxy.url, timeoutMs: 500, ...client }));
    const token = provider.token();
    assert.equal((await authority.ask(token)).status, "yes");
    proxy.set(mode);
    assert.deepEqual(await authority.ask(token), unavailable);
    proxy.set({ kind: "pass" });
    let outcome = await authority.ask(token);
    // The fault may have broken one more pooled connection.
    if (outcome.status === "unavailable") outcome = await authority.ask(token);
    assert.equal(outcome.status, "yes");
  });
}

test("fault 16: a port without a listener is unavailable", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const authority = open(
    t,
    introspection({ url: `http://127.0.0.1:${port}/`, clientId: "a", clientSecret: "b" }),
  );
  assert.deepEqual(await authority.ask("opaque-token-0123456789"), unavailable);
  assert.equal(authority.status().lastError, "ECONNREFUSED");
});

const day = 86_400_000;
const now = Date.now();
const good = makeCertificate({ from: now - day, to: now + day });
const expired = makeCertificate({ from: now - 2 * day, to: now - day });
const foreign = makeCertificate({ host: "other.example", from: now - day, to: now + day });
setDefaultCACertificates([good, expired, foreign].map(({ cert }) => cert));

for (const [what, certificate, code] of [
  ["is good", good, null],
  ["is expired", expired, "CERT_HAS_EXPIRED"],
  ["is for another host", foreign, "ERR_TLS_CERT_ALTNAME_INVALID"],
] as const) {
  test(`fault 33: a certificate that ${what} ${code === null ? "allows the request" : "ends the connection before a secret or token is sent"}`, async (t) => {
    let requests = 0;
    const server = createTlsServer({ ...certificate }, (_request, response) => {
      requests++;
      response.end('{"active":true}');
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const url = `https://127.0.0.1:${port}/introspect`;
    const authority = open(t, introspection({ url, clientId: "a", clientSecret: "b" }));
    const outcome = await authority.ask("opaque-token-0123456789");
    assert.deepEqual(outcome, code === null ? { status: "yes", claims: {} } : unavailable);
    assert.equal(authority.status().lastError, code);
    assert.equal(requests, code === null ? 1 : 0);
  });
}

test("fault 33: a host name that does not resolve is unavailable", async (t) => {
  const url = "https://id.holdfast.invalid/introspect";
  const authority = open(t, introspection({ url, clientId: "a", clientSecret: "b" }));
  assert.deepEqual(await authority.ask("opaque-token-0123456789"), unavailable);
  assert.match(authority.status().lastError ?? "", /^(ENOTFOUND|EAI_AGAIN)$/);
});

/** A server that answers 100 ms after a request, and reports each request. */
const answering = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:http").createServer((request, response) => {
    parentPort.postMessage("asked");
    setTimeout(() => response.end('{"active":true,"sub":"alice"}'), 100);
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

test("fault 39: an answer that arrives while the event loop is blocked past the deadline counts", async (t) => {
  const worker = new Worker(answering, { eval: true });
  t.after(async () => await worker.terminate());
  const [port] = (await once(worker, "message")) as [number];
  const url = `http://127.0.0.1:${port}/`;
  const authority = open(t, introspection({ url, clientId: "a", clientSecret: "b", timeoutMs: 400 }));
  const asked = authority.ask("opaque-token-0123456789");
  await once(worker, "message");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  assert.deepEqual(await asked, { status: "yes", claims: { sub: "alice" } });
});
