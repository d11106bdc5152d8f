import assert from "node:assert/strict";
import { test } from "node:test";
import { readAllowHttp } from "../../src/guard/allow-http.ts";
import { discovered, httpRevocations, introspection, jwks, tokenValidation } from "../../src/index.ts";
import { createGuard } from "../../src/index.ts";
import { readSettings } from "../../src/server/settings.ts";

const hostOf = (url: string) => new URL(url).hostname;

test("plain HTTP is allowed to exact names, addresses and networks only", () => {
  const isAllowed = readAllowHttp("allowHttp", [
    "Keycloak",
    "id.internal",
    "10.0.0.0/8",
    "192.0.2.7",
    "fd00::/8",
  ]);
  const allowed = [
    "http://keycloak:8080",
    "http://KEYCLOAK",
    "http://id.internal",
    "http://10.1.2.3",
    "http://0x0a010203",
    "http://192.0.2.7",
    "http://[fd00::1]:8080",
  ];
  for (const url of allowed) assert.ok(isAllowed(hostOf(url)), url);
  const others = [
    "http://keycloak.evil.example",
    "http://a.keycloak",
    "http://x.id.internal",
    "http://10.evil.example",
    "http://11.1.2.3",
    "http://192.0.2.8",
    "http://[fe80::1]",
  ];
  for (const url of others) assert.ok(!isAllowed(hostOf(url)), url);
});

test("rejects hosts that are patterns, URLs or every address", () => {
  const wrong = [
    "*",
    "*.internal",
    "",
    "http://keycloak",
    "keycloak:8080",
    "keycloak/",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10",
    "0x7f",
    "a b",
    "user@keycloak",
    7,
  ];
  for (const entry of wrong) {
    assert.throws(() => readAllowHttp("allowHttp", [entry]), { code: "invalid_option" }, String(entry));
  }
  assert.throws(() => readAllowHttp("allowHttp", "keycloak"), { code: "invalid_option" });
});

test("each source accepts plain HTTP to an allowed host, and refuses it without the option", () => {
  const url = "http://keycloak:8080/x";
  const client = { clientId: "api", clientSecret: "secret" };
  const sources = [
    (allowHttp: string[]) => jwks(url, { allowHttp }),
    (allowHttp: string[]) => introspection({ url, ...client, allowHttp }),
    (allowHttp: string[]) => tokenValidation({ url, ...client, allowHttp }),
    (allowHttp: string[]) => httpRevocations({ url, ...client, allowHttp }),
    (allowHttp: string[]) =>
      void createGuard({
        issuer: url,
        audience: "api",
        keys: discovered({ allowHttp, fetch: async () => await Promise.reject(new Error("down")) }),
      }).close(),
  ];
  for (const open of sources) {
    assert.doesNotThrow(() => open(["keycloak"]));
    for (const hosts of [[], ["other"], ["10.0.0.0/8"]])
      assert.throws(() => open(hosts), { code: "invalid_option" });
  }
});

test("the metadata of an issuer may name a key set on an allowed host only", async () => {
  const issuer = "http://keycloak:8080/realms/app";
  for (const [uri, isFetched] of [
    ["http://keycloak:8080/keys", true],
    ["http://elsewhere:8080/keys", false],
  ] as const) {
    const asked: string[] = [];
    const fetch = async (input: string) => {
      asked.push(input);
      return await Promise.resolve(Response.json({ issuer, jwks_uri: uri, keys: [] }));
    };
    const guard = createGuard({
      issuer,
      audience: "api",
      keys: discovered({ allowHttp: ["keycloak"], fetch }),
    });
    await guard.ready({ timeoutMs: 50 }).catch(() => undefined);
    await guard.close();
    assert.equal(asked.includes(uri), isFetched, uri);
  }
});

test("HOLDFAST_ALLOW_HTTP allows plain HTTP to the provider's URLs", () => {
  const provider = {
    HOLDFAST_PROVIDER_ISSUER: "http://keycloak:8080/realms/app",
    HOLDFAST_PROVIDER_JWKS_URL: "http://keycloak:8080/keys",
    HOLDFAST_AUTHORITY_URL: "http://10.1.2.3:8080/introspect",
    HOLDFAST_AUTHORITY_CLIENT: "id:secret",
  };
  const settings = readSettings({ ...provider, HOLDFAST_ALLOW_HTTP: "keycloak, 10.0.0.0/8" });
  assert.deepEqual(settings.provider?.allowHttp, ["keycloak", "10.0.0.0/8"]);
  assert.throws(
    () => readSettings(provider),
    /HOLDFAST_PROVIDER_JWKS_URL must be an https URL[^]*HOLDFAST_AUTHORITY_URL must be/,
  );
  assert.throws(
    () => readSettings({ ...provider, HOLDFAST_ALLOW_HTTP: "keycloak" }),
    /^(?!.*JWKS)[^]*HOLDFAST_AUTHORITY_URL must be/,
  );
  assert.throws(() => readSettings({ ...provider, HOLDFAST_ALLOW_HTTP: "*" }), /HOLDFAST_ALLOW_HTTP must be/);
});
