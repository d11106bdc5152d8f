import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createPlainServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { discovered } from "../../../src/guard/keys/discovery.ts";
import { jwks } from "../../../src/index.ts";
import { createMint, FakeClock, type Mint } from "../../../src/testing/index.ts";
import { audience, issuer } from "../fixture.ts";
import { makeCertificate, type Certificate } from "./certificate.ts";
import { recordEvents, openKeyring, verifyOutcome } from "./fixture.ts";

const day = 86_400_000;
const now = Date.now();
const good = makeCertificate({ from: now - day, to: now + day });
const expired = makeCertificate({ from: now - 2 * day, to: now - day });
const early = makeCertificate({ from: now + day, to: now + 2 * day });
const foreign = makeCertificate({ host: "other.example", from: now - day, to: now + day });
const unknown = makeCertificate({ from: now - day, to: now + day });
setDefaultCACertificates([
  ...getCACertificates(),
  ...[good, expired, early, foreign].map(({ cert }) => cert),
]);

interface Endpoint {
  readonly url: string;
  readonly requests: () => number;
  /** Presents another certificate from now on. */
  readonly show: (certificate: Certificate) => void;
}

/** Serves a key set over real TLS. */
async function serve(t: TestContext, certificate: Certificate, mint: Mint): Promise<Endpoint> {
  let requests = 0;
  const server = createServer({ ...certificate }, (_req, res) => {
    requests++;
    res.setHeader("content-type", "application/json").end(JSON.stringify(mint.jwks()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}/keys`,
    requests: () => requests,
    show(other) {
      server.setSecureContext({ ...other });
      server.closeAllConnections();
    },
  };
}

const certificates: [what: string, certificate: Certificate, code: string][] = [
  ["that has expired", expired, "CERT_HAS_EXPIRED"],
  ["that is not valid yet", early, "CERT_NOT_YET_VALID"],
  ["for another host", foreign, "ERR_TLS_CERT_ALTNAME_INVALID"],
  ["of an unknown authority", unknown, "DEPTH_ZERO_SELF_SIGNED_CERT"],
];

for (const [what, certificate, code] of certificates) {
  test(`law 1, fault 33: a certificate ${what} makes the keys unavailable, emits keys_failed, and ends before a request`, async (t) => {
    const clock = new FakeClock(now);
    const mint = await createMint({ issuer, audience, clock });
    const endpoint = await serve(t, certificate, mint);
    const events = recordEvents(t);
    const keyring = openKeyring(jwks(endpoint.url), { clock });
    assert.equal(await verifyOutcome(keyring, mint.token()), "keys_unavailable");
    assert.deepEqual(
      events.map(({ event, message }) => [event, message]),
      [["keys_failed", code]],
    );
    assert.equal(keyring.status().lastError, code);
    assert.equal(endpoint.requests(), 0);
  });
}

test("fault 33: fetched keys stay in use while the certificate is expired, and are fetched again after its renewal", async (t) => {
  const clock = new FakeClock(now);
  const mint = await createMint({ issuer, audience, clock });
  const endpoint = await serve(t, good, mint);
  const keyring = openKeyring(jwks(endpoint.url), { clock });
  assert.equal(await verifyOutcome(keyring, mint.token()), "verified");
  endpoint.show(expired);
  await clock.advance(30_000);
  const stranger = await createMint({ issuer, audience, clock });
  assert.equal(await verifyOutcome(keyring, stranger.token()), "key_pending");
  assert.equal(keyring.status().lastError, "CERT_HAS_EXPIRED");
  assert.equal(await verifyOutcome(keyring, mint.token()), "verified");
  endpoint.show(good);
  await clock.advance(30_000);
  assert.equal(await verifyOutcome(keyring, stranger.token()), "unknown_key");
  assert.equal(keyring.status().lastError, null);
  assert.equal(endpoint.requests(), 2);
});

test("fault 33: an issuer with a certificate for another host gets no request for its metadata", async (t) => {
  const clock = new FakeClock(now);
  const mint = await createMint({ issuer, audience, clock });
  const endpoint = await serve(t, foreign, mint);
  const keyring = openKeyring(discovered(), { clock, issuer: new URL(endpoint.url).origin });
  assert.equal(await verifyOutcome(keyring, mint.token()), "keys_unavailable");
  assert.equal(keyring.status().lastError, "ERR_TLS_CERT_ALTNAME_INVALID");
  assert.equal(endpoint.requests(), 0);
});

test("fault 33: an https URL never falls back to plain http", async (t) => {
  let requests = 0;
  const server = createPlainServer((_req, res) => {
    requests++;
    res.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const clock = new FakeClock(now);
  const mint = await createMint({ issuer, audience, clock });
  const keyring = openKeyring(jwks(`https://127.0.0.1:${port}/keys`), { clock });
  assert.equal(await verifyOutcome(keyring, mint.token()), "keys_unavailable");
  assert.match(keyring.status().lastError ?? "", /^ERR_SSL_/);
  assert.equal(requests, 0);
});

test("law 1, fault 33: tokens are unavailable and keys_failed says why when DNS or the connection fails", async (t) => {
  const clock = new FakeClock(now);
  const mint = await createMint({ issuer, audience, clock });
  const events = recordEvents(t);
  // RFC 6761 §6.4 reserves this name, so it never resolves. A machine without a name server reports EAI_AGAIN.
  const nameless = openKeyring(jwks("https://keys.invalid/keys"), { clock });
  assert.equal(await verifyOutcome(nameless, mint.token()), "keys_unavailable");
  assert.match(events.at(-1)?.message ?? "", /^(ENOTFOUND|EAI_AGAIN)$/);
  const gone = createPlainServer();
  gone.listen(0, "127.0.0.1");
  await once(gone, "listening");
  const { port } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, "close");
  const silent = openKeyring(jwks(`https://127.0.0.1:${port}/keys`), { clock });
  assert.equal(await verifyOutcome(silent, mint.token()), "keys_unavailable");
  assert.equal(events.at(-1)?.message, "ECONNREFUSED");
  assert.ok(events.every(({ event }) => event === "keys_failed"));
});
