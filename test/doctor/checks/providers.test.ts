import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { createServer } from "node:https";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { authorityCheck } from "../../../src/doctor/checks/authority.ts";
import { clockCheck, judgeReading } from "../../../src/doctor/checks/clock.ts";
import { judgeKeySet, keysCheck } from "../../../src/doctor/checks/keys.ts";
import { judgeMetadata, metadataCheck } from "../../../src/doctor/checks/metadata.ts";
import { judgeCertificate, networkCheck } from "../../../src/doctor/checks/network.ts";
import { proxyCheck } from "../../../src/doctor/checks/proxy.ts";
import { isReachedDirectly } from "../../../src/doctor/no-proxy.ts";
import { Certificate, noOpenssl } from "../../gateway/certificate.ts";
import { readFileSync } from "node:fs";
import { freePort } from "../../support/free-port.ts";
import { temporaryDataDir } from "../../server/temporary-settings.ts";
import {
  AUDIENCE,
  assertHealthy,
  assertProblem,
  findings,
  makeContext,
  makeSettings,
  providerSettings,
  startProvider,
} from "../fixture.ts";

test("every check of a provider is well when the provider is", async (t) => {
  const provider = await startProvider(t);
  const context = await makeContext(await makeSettings(providerSettings(provider)));
  for (const check of [networkCheck, metadataCheck, keysCheck, authorityCheck, clockCheck]) {
    assertHealthy(await findings(check, context));
  }
});

test("network: a name that does not resolve and a closed port are failures", async () => {
  const settings = {
    HOLDFAST_PROVIDER_ISSUER: "https://id.holdfast.invalid",
    HOLDFAST_PROVIDER_JWKS_URL: `http://127.0.0.1:${await freePort()}/jwks`,
    HOLDFAST_AUTHORITY_URL: "https://id.holdfast.invalid/introspect",
    HOLDFAST_AUTHORITY_CLIENT: "api:secret",
  };
  const list = await findings(networkCheck, await makeContext(await makeSettings(settings)));
  const [name, port] = list;
  assertProblem(
    [name].flatMap((one) => one ?? []),
    "fail",
    /id\.holdfast\.invalid does not resolve/,
    /resolver/,
  );
  assertProblem(
    [port].flatMap((one) => one ?? []),
    "fail",
    /cannot be reached \(ECONNREFUSED\)/,
    /firewall/,
  );
});

test("network: a certificate that Node does not trust is a failure", { skip: noOpenssl }, async (t) => {
  const certificate = new Certificate();
  t.after(() => certificate.remove());
  const pem = readFileSync(certificate.file, "utf8");
  const server = createServer({ key: pem, cert: pem }, (_, res) => res.end("{}")).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const url = `https://localhost:${port}/jwks`;
  const settings = { HOLDFAST_PROVIDER_ISSUER: "https://id.example", HOLDFAST_PROVIDER_JWKS_URL: url };
  const list = await findings(networkCheck, await makeContext(await makeSettings(settings)));
  assertProblem(list, "fail", /authority that Node does not trust \(DEPTH_ZERO/, /NODE_EXTRA_CA_CERTS/);
  // The certificate is good for two days.
  const { validTo } = new X509Certificate(pem);
  assertProblem([judgeCertificate("api.example", validTo)], "warn", /expires in [12] days/, /renew/);
  assertHealthy([judgeCertificate("api.example", validTo, Date.parse(validTo) - 15 * 86_400_000)]);
});

test("proxy: a proxy that Node does not use is a warning", async (t) => {
  const provider = await startProvider(t);
  const context = await makeContext(await makeSettings(providerSettings(provider)));
  const network = { ...context.network, proxyVariables: ["HTTPS_PROXY"], usesProxy: false };
  assertProblem(
    await findings(proxyCheck, { ...context, network }),
    "warn",
    /HTTPS_PROXY/,
    /NODE_USE_ENV_PROXY=1/,
  );
  assertHealthy(await findings(proxyCheck, { ...context, network: { ...network, usesProxy: true } }));
});

for (const [noProxy, url, expected] of [
  [undefined, "https://id.example", false],
  ["*", "https://id.example", true],
  [undefined, "http://127.0.0.1:8080", true],
  [undefined, "http://[::1]:8080", true],
  ["id.example", "https://id.example", true],
  ["example", "https://id.example", false],
  [".example", "https://id.example", true],
  ["*.example", "https://id.example", true],
  ["id.example:8443", "https://id.example", false],
  ["other, id.example:443", "https://id.example", true],
] as const) {
  test(`NO_PROXY ${noProxy ?? "unset"} ${expected ? "lists" : "does not list"} ${url}`, () => {
    assert.equal(isReachedDirectly(new URL(url), noProxy), expected);
  });
}

for (const [named, difference] of [
  ["https://id.example/", /slash at the end/],
  ["https://ID.example", /upper and lower case/],
  ["http://id.example", /http and https/],
  ["https://other.example", /different issuers/],
  ["https://id.example/realms/other", /different issuers/],
] as const) {
  test(`metadata: the issuer ${named} in place of https://id.example is a failure with the exact text to set`, () => {
    const finding = judgeMetadata(
      "https://id.example",
      "https://id.example/m",
      { issuer: named, jwks_uri: "https://id.example/k" },
      true,
    );
    assertProblem([finding], "fail", difference, new RegExp(`exactly ${named}$`));
  });
}

test("metadata: metadata without a jwks_uri, or no metadata at all, is a failure", async (t) => {
  const without = judgeMetadata(
    "https://id.example",
    "https://id.example/m",
    { issuer: "https://id.example" },
    true,
  );
  assertProblem([without], "fail", /no jwks_uri/, /HOLDFAST_PROVIDER_JWKS_URL/);
  const provider = await startProvider(t);
  provider.fault("discovery", { status: 404 });
  provider.fault("metadata", { status: 404 });
  const context = await makeContext(await makeSettings(providerSettings(provider)));
  assertProblem(await findings(metadataCheck, context), "fail", /answered 404.+answered 404/, /exact issuer/);
});

test("metadata: another issuer in them is a failure only where the keys are found through them", async (t) => {
  const provider = await startProvider(t);
  const respond = () => Response.json({ issuer: "https://other.example", jwks_uri: provider.url("jwks") });
  for (const part of ["discovery", "metadata"] as const) provider.fault(part, { respond });
  const statusWith = async (more: Readonly<Record<string, string>>) => {
    const settings = await makeSettings({ HOLDFAST_PROVIDER_ISSUER: provider.issuer, ...more });
    return (await findings(metadataCheck, await makeContext(settings))).map(({ status }) => status);
  };
  assert.deepEqual(await statusWith({}), ["fail"]);
  assert.deepEqual(await statusWith({ HOLDFAST_PROVIDER_JWKS_URL: provider.url("jwks") }), ["warn"]);
});

test("metadata: an outage of the provider is a failure whose advice changes no setting", async (t) => {
  const provider = await startProvider(t);
  const settings = await makeSettings(providerSettings(provider));
  for (const part of ["discovery", "metadata"] as const) provider.fault(part, { status: 503 });
  const busy = await findings(metadataCheck, await makeContext(settings));
  assertProblem(busy, "fail", /answered 503.+answered 503/, /^see whether the provider has an outage/);
  await provider.close();
  const down = await findings(metadataCheck, await makeContext(settings));
  assertProblem(down, "fail", /ECONNREFUSED/, /^no server answers: see the line of network/);
});

test("metadata: an issuer that is no URL, with an address of its keys, has no metadata to compare", async () => {
  const file = join(dirname(await temporaryDataDir()), "guard.json");
  const issuer = {
    issuer: "the-old-login-server",
    keys: { jwks: "https://id.example/jwks" },
    audience: AUDIENCE,
  };
  await writeFile(file, JSON.stringify({ issuers: [issuer] }));
  const context = await makeContext(await makeSettings({ HOLDFAST_GUARD: file }));
  assert.deepEqual(await findings(metadataCheck, context), [
    {
      status: "skip",
      detail: "the-old-login-server: its keys do not come from metadata, and there are none to compare",
      advice: null,
    },
  ]);
});

const place = { issuer: "https://id.example", algorithms: undefined };
const rsa = (bits: number) => generateKeyPairSync("rsa", { modulusLength: bits });
const publish = (...jwks: object[]) => ({ url: "https://id.example/jwks", jwks: { keys: jwks } });

test("keys: weak, private and repeated keys of a set are found", () => {
  const good = { ...rsa(2048).publicKey.export({ format: "jwk" }), kid: "a", alg: "RS256" };
  const weak = { ...rsa(1024).publicKey.export({ format: "jwk" }), kid: "weak", alg: "RS256" };
  assert.deepEqual(judgeKeySet(publish(good, { kty: "RSA", use: "enc", kid: "e" }), place), []);
  assertProblem(
    judgeKeySet(publish(good, weak), place),
    "warn",
    /the key weak has a modulus of 1024 bits/,
    /refused/,
  );
  const secret = { ...rsa(2048).privateKey.export({ format: "jwk" }), kid: "p" };
  assertProblem(
    judgeKeySet(publish(good, secret), place),
    "fail",
    /publishes a private key: the key p/,
    /revoke it/,
  );
  const other = { ...rsa(2048).publicKey.export({ format: "jwk" }), kid: "a", alg: "RS256" };
  assertProblem(judgeKeySet(publish(good, other), place), "warn", /a kid for several keys: a/, /distinct/);
  const certificate = { kty: "RSA", kid: "c", x5c: ["MII"] };
  assertProblem(
    judgeKeySet(publish(good, certificate), place),
    "warn",
    /the key c has a certificate/,
    /usable key/,
  );
});

test("keys: an empty set, and a set that cannot be fetched, are failures with the reason", async (t) => {
  const provider = await startProvider(t);
  const settings = await makeSettings(providerSettings(provider));
  provider.fault("jwks", { respond: () => Response.json({ keys: [] }) });
  assertProblem(
    await findings(keysCheck, await makeContext(settings)),
    "fail",
    /no usable key set: .*no usable key/,
    /networks\.md/,
  );
  provider.fault("jwks", { status: 503 });
  assertProblem(await findings(keysCheck, await makeContext(settings)), "fail", /answered 503/, /reachable/);
});

test("keys: an address without a key set is a failure that names the address and its setting", async (t) => {
  const provider = await startProvider(t);
  const url = `${provider.issuer}/no-keys`;
  const settings = await makeSettings({
    ...providerSettings(provider),
    HOLDFAST_PROVIDER_JWKS_URL: `${url}?key=hunter2`,
  });
  assertProblem(
    await findings(keysCheck, await makeContext(settings)),
    "fail",
    new RegExp(`no usable key set at ${url}: [^?]*answered 404`),
    /^correct HOLDFAST_PROVIDER_JWKS_URL, or remove it to discover the keys/,
  );
});

test("authority: one that hangs, one that refuses the service and one that accepts anything are failures", async (t) => {
  const provider = await startProvider(t);
  const settings = await makeSettings(providerSettings(provider));
  const ask = async () => await findings(authorityCheck, await makeContext(settings));
  provider.fault("introspection", { hang: true });
  assertProblem(await ask(), "fail", /does not answer: .*took longer than 2000 ms/, /ALLOW_DEGRADED_AUTH/);
  provider.restore("introspection");
  provider.fault("introspection", { status: 401 });
  assertProblem(
    await ask(),
    "fail",
    /refuses the requests of this service: .*401/,
    /client id and the secret/,
  );
  provider.fault("introspection", { respond: () => Response.json({ active: true }) });
  assertProblem(await ask(), "fail", /calls an invented token active/, /accepts anything/);
  provider.restore("introspection");
  assertHealthy(await ask());
});

test("authority: one that answers near the time limit of the guard is a warning", async (t) => {
  const provider = await startProvider(t);
  provider.fault("introspection", { latencyMs: 1_200 });
  const context = await makeContext(await makeSettings(providerSettings(provider)));
  assertProblem(await findings(authorityCheck, context), "warn", /answers in 1\d\d\d ms/, /timeoutMs/);
});

test("clock: a difference of three seconds is a warning, and of an hour a failure", async (t) => {
  const read = (aheadMs: number) => [judgeReading({ name: "id.example", aheadMs, uncertaintyMs: 600 })];
  assertHealthy(read(2_500));
  assertProblem(read(-3_000), "warn", /3 s behind that of id\.example/, /NTP/);
  assertProblem(read(3_600_000), "fail", /3600 s ahead of that of id\.example/, /NTP/);
  const provider = await startProvider(t);
  const date = new Date(Date.now() - 3_600_000).toUTCString();
  provider.fault("jwks", { headers: { Date: date } });
  const context = await makeContext(await makeSettings(providerSettings(provider)));
  assertProblem(await findings(clockCheck, context), "fail", /\d{4} s ahead of/, /NTP/);
});

test("clock: an answer from a cache and one without a readable date tell no time", async (t) => {
  const provider = await startProvider(t);
  const context = await makeContext(await makeSettings(providerSettings(provider)));
  const hourAgo = new Date(Date.now() - 3_600_000).toUTCString();
  for (const headers of [{ Date: hourAgo, Age: "3600" }, { Date: "an hour ago" }]) {
    provider.fault("jwks", { headers });
    const list = await findings(clockCheck, context);
    assert.deepEqual(
      list.map(({ status }) => status),
      ["skip"],
      JSON.stringify(headers),
    );
  }
});
