import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { settingDefinitions } from "../../src/server/setting-definitions.ts";
import { readSettings } from "../../src/server/settings.ts";

const secret = "s".repeat(32);

test("without settings the service listens on this machine only", () => {
  const { trustedProxies, ...settings } = readSettings({});
  assert.deepEqual(settings, {
    host: "127.0.0.1",
    port: 4180,
    adminHost: "127.0.0.1",
    adminPort: 4181,
    adminToken: undefined,
    dataDir: resolve("holdfast-data"),
    url: undefined,
    audience: undefined,
    lifetimes: {
      accessTokenTtlMs: 600_000,
      refreshIdleMs: 30 * 86_400_000,
      refreshAbsoluteMs: 90 * 86_400_000,
      lostAnswerMs: 86_400_000,
      conflictMs: 30_000,
      algorithm: "ES256",
      keyRotationMs: 30 * 86_400_000,
      maxSessions: 100,
    },
    roles: new Set(["issuer", "gateway"]),
    redis: undefined,
    secret: undefined,
    clients: [],
    shortSession: { idleMs: 3_600_000, absoluteMs: 43_200_000 },
    loginNames: "case-insensitive",
    connectionsPerPeer: 256,
    corsOrigins: [],
    cookies: undefined,
    policyFile: undefined,
    guardFile: undefined,
    provider: undefined,
    degraded: undefined,
    bootstrapUser: undefined,
    logLevel: "info",
    traces: "off",
    requestLog: "off",
    texts: {},
  });
  assert.deepEqual(trustedProxies.rules, []);
});

test("reads every setting", () => {
  const settings = readSettings({
    PATH: "ignored",
    HOLDFAST_HOST: "::1",
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_HOST: "0.0.0.0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_ADMIN_TOKEN: "a".repeat(32),
    HOLDFAST_DATA_DIR: "/data/",
    HOLDFAST_URL: "https://id.example.com/",
    HOLDFAST_AUDIENCE: "https://api.example.com",
    HOLDFAST_ACCESS_TOKEN_TTL: "90s",
    HOLDFAST_REFRESH_IDLE: "45m",
    HOLDFAST_REFRESH_ABSOLUTE: "8h",
    HOLDFAST_LOST_ANSWER: "0s",
    HOLDFAST_CONFLICT: "10s",
    HOLDFAST_ALGORITHM: "EdDSA",
    HOLDFAST_KEY_ROTATION: "7d",
    HOLDFAST_MAX_SESSIONS: "20",
    HOLDFAST_ROLES: "gateway, issuer",
    HOLDFAST_STORE: "sqlite",
    HOLDFAST_SECRET: `${secret},${secret}2`,
    HOLDFAST_CLIENTS: "api:0123456789abcdef, other:with:colons-in-it",
    HOLDFAST_CLIENT_SCOPES: "api=orders:read as=is",
    HOLDFAST_CLIENT_ACCESS_TOKEN_TTL: "api=5m, other=1h",
    HOLDFAST_CLIENT_REFRESH_TOKENS: "other=10m/8h",
    HOLDFAST_SHORT_SESSION: "10m/10m",
    HOLDFAST_LOGIN_NAMES: "exact",
    HOLDFAST_CORS_ORIGINS: "https://app.example.com, http://localhost:3000",
    HOLDFAST_TRUSTED_PROXIES: "10.0.0.0/8, 192.0.2.7, 2001:db8::/32",
    HOLDFAST_POLICY: "/etc/holdfast/../policy.json",
    HOLDFAST_BOOTSTRAP_USER: "alice:correct:horse",
    HOLDFAST_PROVIDER_ISSUER: "https://provider.example.com/",
    HOLDFAST_PROVIDER_JWKS_URL: "https://provider.example.com/keys",
    HOLDFAST_ALLOW_HTTP: "keycloak, 10.0.0.0/8",
    HOLDFAST_AUTHORITY_URL: "https://provider.example.com/introspect",
    HOLDFAST_AUTHORITY_CLIENT: "holdfast:secret:with:colons",
    HOLDFAST_AUTHORITY_OPAQUE: "/^at_/",
    HOLDFAST_AUTHORITY_ASK: "opaque",
    ALLOW_DEGRADED_AUTH: "cached",
    HOLDFAST_LOG_LEVEL: "debug",
    HOLDFAST_TRACES: "propagate",
    HOLDFAST_REQUEST_LOG: "failed",
  });
  assert.equal(settings.dataDir, "/data");
  assert.equal(settings.url, "https://id.example.com");
  assert.deepEqual(settings.clients, [
    { id: "api", secret: "0123456789abcdef", scopes: ["orders:read", "as=is"], accessTokenTtlMs: 300_000 },
    {
      id: "other",
      secret: "with:colons-in-it",
      scopes: [],
      accessTokenTtlMs: 3_600_000,
      refreshTokens: { idleMs: 600_000, absoluteMs: 28_800_000 },
    },
  ]);
  assert.deepEqual(settings.shortSession, { idleMs: 600_000, absoluteMs: 600_000 });
  assert.equal(settings.loginNames, "exact");
  assert.deepEqual(settings.corsOrigins, ["https://app.example.com", "http://localhost:3000"]);
  assert.deepEqual(settings.bootstrapUser, { username: "alice", password: "correct:horse" });
  assert.deepEqual(settings.provider, {
    issuer: "https://provider.example.com/",
    allowHttp: ["keycloak", "10.0.0.0/8"],
    jwksUrl: "https://provider.example.com/keys",
    authority: {
      url: "https://provider.example.com/introspect",
      client: { id: "holdfast", secret: "secret:with:colons" },
      opaque: /^at_/,
      ask: "opaque",
    },
  });
  assert.deepEqual(settings.lifetimes, {
    accessTokenTtlMs: 90_000,
    refreshIdleMs: 2_700_000,
    refreshAbsoluteMs: 28_800_000,
    lostAnswerMs: 0,
    conflictMs: 10_000,
    algorithm: "EdDSA",
    keyRotationMs: 7 * 86_400_000,
    maxSessions: 20,
  });
  assert.equal(settings.policyFile, "/etc/policy.json");
  assert.equal(settings.degraded, "cached");
  assert.equal(settings.logLevel, "debug");
  assert.equal(settings.requestLog, "failed");
  assert.ok(settings.trustedProxies.check("10.1.2.3"));
  assert.ok(settings.trustedProxies.check("2001:db8::1", "ipv6"));
  assert.ok(!settings.trustedProxies.check("192.0.2.8"));
});

test("the opaque tokens that are sent to the authority are chosen by on, off, a length or an expression", () => {
  const isAsked = (text: string | undefined, token: string) => {
    const provider = {
      HOLDFAST_PROVIDER_ISSUER: "https://id.example",
      HOLDFAST_AUTHORITY_URL: "https://id.example/introspect",
      HOLDFAST_AUTHORITY_CLIENT: "id:secret",
      ...(text !== undefined && { HOLDFAST_AUTHORITY_OPAQUE: text }),
    };
    const opaque = readSettings(provider).provider?.authority?.opaque;
    return typeof opaque === "object" ? opaque.test(token) : opaque;
  };
  assert.equal(isAsked(undefined, "a"), true);
  assert.equal(isAsked("on", "a"), true);
  assert.equal(isAsked("off", "a"), false);
  for (const [length, expected] of [
    [15, false],
    [16, true],
    [2000, true],
    [2001, false],
  ] as const) {
    assert.equal(isAsked("2000", "a".repeat(length)), expected, String(length));
  }
  assert.equal(isAsked("2000", `eyJhbGciOiJub25lIn0.${"a".repeat(20)}`), false);
  assert.equal(isAsked("/^at_\\w{4}$/", "at_abcd"), true);
  assert.equal(isAsked("/^at_\\w{4}$/", "at_abcde"), false);
});

const inRedis = { HOLDFAST_STORE: "redis", HOLDFAST_SECRET: secret };
const places: [url: string, target: object][] = [
  ["rediss://me:pass@redis.internal:6380/2", { url: "rediss://me:pass@redis.internal:6380/2" }],
  ["redis://a:1, redis://b:2", { cluster: ["redis://a:1", "redis://b:2"] }],
  [
    "redis-sentinel://me:pass@a:1,b:2/main",
    { sentinel: { url: "redis://me:pass@main", nodes: ["redis://a:1", "redis://b:2"] } },
  ],
];
for (const [url, target] of places) {
  test(`REDIS_URL=${url} is read as ${Object.keys(target).join("")}`, () => {
    const redisSettings = { HOLDFAST_REDIS_REPLICAS: "1", HOLDFAST_REDIS_DURABILITY: "always" };
    const { redis } = readSettings({ ...inRedis, ...redisSettings, REDIS_URL: url });
    assert.deepEqual(redis, { ...target, replicas: 1, durability: "always" });
  });
}

test("Sentinels with TLS, PEM files, a password file and announced addresses are read", () => {
  const { redis } = readSettings({
    ...inRedis,
    REDIS_URL: "rediss-sentinel://me@a:1,b:2/main",
    HOLDFAST_REDIS_CA: "/ca.pem",
    HOLDFAST_REDIS_CERT: "/cert.pem",
    HOLDFAST_REDIS_KEY: "/key.pem",
    HOLDFAST_REDIS_PASSWORD_FILE: "/password",
    HOLDFAST_REDIS_NODE_ADDRESS_MAP: "10.0.0.1:1=a:2, [fd00::1]:3=b:4",
  });
  assert.deepEqual(redis, {
    sentinel: { url: "rediss://me@main", nodes: ["rediss://a:1", "rediss://b:2"] },
    tlsFiles: { ca: "/ca.pem", cert: "/cert.pem", key: "/key.pem" },
    passwordFile: "/password",
    nodeAddressMap: { "10.0.0.1:1": { host: "a", port: 2 }, "[fd00::1]:3": { host: "b", port: 4 } },
  });
});

test("settings of the connection to Redis that contradict each other are refused", () => {
  const plain = { ...inRedis, REDIS_URL: "redis://:hunter22@a" };
  const wrong: [Record<string, string>, RegExp][] = [
    [{ HOLDFAST_REDIS_CA: "/ca.pem" }, /HOLDFAST_REDIS_CA needs REDIS_URL to begin with rediss/],
    [{ HOLDFAST_REDIS_KEY: "/key.pem" }, /HOLDFAST_REDIS_CERT and HOLDFAST_REDIS_KEY need each other/],
    [{ HOLDFAST_REDIS_PASSWORD_FILE: "/p" }, /a password in REDIS_URL exclude each other/],
    [{ HOLDFAST_REDIS_NODE_ADDRESS_MAP: "a:1=b" }, /^HOLDFAST_REDIS_NODE_ADDRESS_MAP must be/],
  ];
  for (const [settings, message] of wrong) {
    assert.throws(() => readSettings({ ...plain, ...settings }), { message });
  }
});

test("the Redis store needs an address and a shared secret, and its own settings need the Redis store", () => {
  assert.throws(() => readSettings({ HOLDFAST_STORE: "redis", HOLDFAST_REDIS_REPLICAS: "1" }), {
    message: [
      "HOLDFAST_STORE=redis needs REDIS_URL, such as redis://127.0.0.1:6379",
      "HOLDFAST_STORE=redis needs HOLDFAST_SECRET, such as the output of openssl rand -base64 32",
    ].join("\n"),
  });
  assert.throws(() => readSettings({ HOLDFAST_REDIS_REPLICAS: "1" }), {
    message: /needs HOLDFAST_STORE=redis/,
  });
  assert.equal(readSettings({ REDIS_URL: "redis://elsewhere" }).redis, undefined);
});

test("ALLOW_DEGRADED_AUTH=true means local, false means deny", () => {
  assert.equal(readSettings({ ALLOW_DEGRADED_AUTH: "true" }).degraded, "local");
  assert.equal(readSettings({ ALLOW_DEGRADED_AUTH: "false" }).degraded, "deny");
});

test("several audiences are separated by commas", () => {
  const { audience } = readSettings({ HOLDFAST_AUDIENCE: "https://a.example, https://b.example" });
  assert.deepEqual(audience, ["https://a.example", "https://b.example"]);
  assert.equal(readSettings({ HOLDFAST_AUDIENCE: "https://a.example" }).audience, "https://a.example");
});

test("rejects a setting without its companion, and names both", () => {
  assert.throws(() => readSettings({ HOLDFAST_AUTHORITY_URL: "https://id.example/introspect" }), {
    message:
      "HOLDFAST_AUTHORITY_URL needs HOLDFAST_PROVIDER_ISSUER\nHOLDFAST_AUTHORITY_URL needs HOLDFAST_AUTHORITY_CLIENT",
  });
});

test("rejects a policy without trusted proxies", () => {
  assert.throws(() => readSettings({ HOLDFAST_POLICY: "policy.json" }), {
    message: "HOLDFAST_POLICY needs HOLDFAST_TRUSTED_PROXIES, such as 127.0.0.1 for a proxy on this machine",
  });
});

test("rejects scopes of an unknown client", () => {
  assert.throws(() => readSettings({ HOLDFAST_CLIENT_SCOPES: "api=orders:read" }), {
    message: "HOLDFAST_CLIENT_SCOPES names api, which HOLDFAST_CLIENTS does not",
  });
});

test("a signing key must sign for as long as the access token of every client lives", () => {
  const clients = { HOLDFAST_CLIENTS: "api:0123456789abcdef", HOLDFAST_CLIENT_ACCESS_TOKEN_TTL: "api=31d" };
  assert.throws(() => readSettings(clients), {
    message: "HOLDFAST_KEY_ROTATION must be at least 31d, the access tokens of api",
  });
});

const wrong: [name: string, value: string, message: RegExp][] = [
  ["HOLDFAST_HOST", "http://x", /^HOLDFAST_HOST must be an address/],
  ["REDIS_URL", "http://redis", /^REDIS_URL must be redis:/],
  ["REDIS_URL", "redis-sentinel://a:1,b:2", /^REDIS_URL must be redis:/],
  ["HOLDFAST_REDIS_REPLICAS", "-1", /^HOLDFAST_REDIS_REPLICAS must be how many/],
  ["HOLDFAST_REDIS_DURABILITY", "never", /^HOLDFAST_REDIS_DURABILITY must be always/],
  ["ALLOW_DEGRADED_AUTH", "yes", /^ALLOW_DEGRADED_AUTH must be true \(local\), false \(deny\)/],
  [
    "HOLDFAST_PROVIDER_JWKS_URL",
    "http://id.example/keys",
    /^HOLDFAST_PROVIDER_JWKS_URL must be an https URL/,
  ],
  [
    "HOLDFAST_PROVIDER_ISSUER",
    "http://id.example",
    /^HOLDFAST_PROVIDER_ISSUER must be an https URL \(or http to .*HOLDFAST_ALLOW_HTTP\) unless HOLDFAST_PROVIDER_JWKS_URL is set$/,
  ],
  ["HOLDFAST_AUTHORITY_CLIENT", "nocolon", /^HOLDFAST_AUTHORITY_CLIENT must be id:secret/],
  ["HOLDFAST_AUTHORITY_OPAQUE", "15", /^HOLDFAST_AUTHORITY_OPAQUE must be on, off, a longest length/],
  ["HOLDFAST_AUTHORITY_OPAQUE", "16385", /^HOLDFAST_AUTHORITY_OPAQUE must be/],
  ["HOLDFAST_AUTHORITY_OPAQUE", "/(/", /^HOLDFAST_AUTHORITY_OPAQUE must be/],
  ["HOLDFAST_AUTHORITY_OPAQUE", "at_", /^HOLDFAST_AUTHORITY_OPAQUE must be/],
  ["HOLDFAST_AUTHORITY_OPAQUE", "off", /^HOLDFAST_AUTHORITY_OPAQUE needs HOLDFAST_AUTHORITY_URL$/],
  ["HOLDFAST_AUTHORITY_ASK", "jwt", /^HOLDFAST_AUTHORITY_ASK must be all or opaque/],
  ["HOLDFAST_PORT", "abc", /^HOLDFAST_PORT must be a port from 0 to 65535/],
  ["HOLDFAST_PORT", "65536", /^HOLDFAST_PORT must be a port/],
  ["HOLDFAST_PORT", "-1", /^HOLDFAST_PORT must be a port/],
  ["HOLDFAST_PORT", "4180.5", /^HOLDFAST_PORT must be a port/],
  ["HOLDFAST_PORT", "4181", /^HOLDFAST_ADMIN_PORT must be another port than HOLDFAST_PORT/],
  ["HOLDFAST_ADMIN_PORT", "", /^HOLDFAST_ADMIN_PORT must be a port/],
  ["HOLDFAST_DATA_DIR", " ", /^HOLDFAST_DATA_DIR must be a directory/],
  ["HOLDFAST_URL", "id.example.com", /^HOLDFAST_URL must be an http\(s\) URL/],
  ["HOLDFAST_URL", "ftp://id.example.com", /^HOLDFAST_URL must be/],
  ["HOLDFAST_URL", "https://id.example.com/?a=1", /^HOLDFAST_URL must be/],
  ["HOLDFAST_URL", "https://user:pass@id.example.com", /^HOLDFAST_URL must be/],
  ["HOLDFAST_AUDIENCE", "", /^HOLDFAST_AUDIENCE must be/],
  [
    "HOLDFAST_ACCESS_TOKEN_TTL",
    "600",
    /^HOLDFAST_ACCESS_TOKEN_TTL must be a duration from 1s to 3650d, such as 10m/,
  ],
  ["HOLDFAST_ACCESS_TOKEN_TTL", "0s", /^HOLDFAST_ACCESS_TOKEN_TTL must be/],
  ["HOLDFAST_ACCESS_TOKEN_TTL", "999ms", /^HOLDFAST_ACCESS_TOKEN_TTL must be/],
  ["HOLDFAST_ACCESS_TOKEN_TTL", "1.5h", /^HOLDFAST_ACCESS_TOKEN_TTL must be/],
  ["HOLDFAST_ACCESS_TOKEN_TTL", "-10m", /^HOLDFAST_ACCESS_TOKEN_TTL must be/],
  ["HOLDFAST_ACCESS_TOKEN_TTL", "10 m", /^HOLDFAST_ACCESS_TOKEN_TTL must be/],
  [
    "HOLDFAST_REFRESH_IDLE",
    "3651d",
    /^HOLDFAST_REFRESH_IDLE must be a duration from 1s to 3650d, such as 30d/,
  ],
  [
    "HOLDFAST_REFRESH_IDLE",
    "5m",
    /^HOLDFAST_REFRESH_IDLE must be at least 10m, which is HOLDFAST_ACCESS_TOKEN_TTL$/,
  ],
  [
    "HOLDFAST_REFRESH_ABSOLUTE",
    "8h",
    /^HOLDFAST_REFRESH_ABSOLUTE must be at least 30d, which is HOLDFAST_REFRESH_IDLE$/,
  ],
  [
    "HOLDFAST_KEY_ROTATION",
    "9m",
    /^HOLDFAST_KEY_ROTATION must be at least 10m, which is HOLDFAST_ACCESS_TOKEN_TTL$/,
  ],
  ["HOLDFAST_ALGORITHM", "HS256", /^HOLDFAST_ALGORITHM must be ES256, ES384, EdDSA, RS256, PS256/],
  ["HOLDFAST_AUDIENCE", "https://a.example,", /^HOLDFAST_AUDIENCE must be/],
  ["HOLDFAST_AUDIENCE", "https://a.example, https://a.example", /^HOLDFAST_AUDIENCE must be .* each once/],
  ["HOLDFAST_CLIENT_ACCESS_TOKEN_TTL", "api=5", /^HOLDFAST_CLIENT_ACCESS_TOKEN_TTL must be id=duration/],
  ["HOLDFAST_CLIENT_ACCESS_TOKEN_TTL", "api=5m,api=6m", /^HOLDFAST_CLIENT_ACCESS_TOKEN_TTL must be/],
  ["HOLDFAST_CLIENT_ACCESS_TOKEN_TTL", "api=5m", /^HOLDFAST_CLIENT_ACCESS_TOKEN_TTL names api/],
  ["HOLDFAST_CLIENT_REFRESH_TOKENS", "api=5m", /^HOLDFAST_CLIENT_REFRESH_TOKENS must be id=idle/],
  ["HOLDFAST_CLIENT_REFRESH_TOKENS", "api=8h/1h", /^HOLDFAST_CLIENT_REFRESH_TOKENS must be/],
  ["HOLDFAST_SHORT_SESSION", "1h", /^HOLDFAST_SHORT_SESSION must be idle\/absolute durations/],
  ["HOLDFAST_SHORT_SESSION", "1h/12h/1d", /^HOLDFAST_SHORT_SESSION must be/],
  ["HOLDFAST_STORE", "postgres", /^HOLDFAST_STORE must be sqlite or redis/],
  ["HOLDFAST_SECRET", "too-short-a-secret", /^HOLDFAST_SECRET must be at least 32 random bytes/],
  ["HOLDFAST_SECRET", `${secret},short`, /^HOLDFAST_SECRET must be/],
  ["HOLDFAST_CLIENTS", "api", /^HOLDFAST_CLIENTS must be id:secret pairs/],
  ["HOLDFAST_CLIENTS", "api:short", /^HOLDFAST_CLIENTS must be/],
  ["HOLDFAST_CLIENTS", `api:${secret},api:${secret}`, /^HOLDFAST_CLIENTS must be .* each id once/],
  ["HOLDFAST_CLIENT_SCOPES", "api", /^HOLDFAST_CLIENT_SCOPES must be id=scopes pairs/],
  ["HOLDFAST_CLIENT_SCOPES", "api=", /^HOLDFAST_CLIENT_SCOPES must be/],
  ["HOLDFAST_CLIENT_SCOPES", 'api=a"b', /^HOLDFAST_CLIENT_SCOPES must be/],
  ["HOLDFAST_CLIENT_SCOPES", "api=a,api=b", /^HOLDFAST_CLIENT_SCOPES must be .* each id once/],
  ["HOLDFAST_LOGIN_NAMES", "Exact", /^HOLDFAST_LOGIN_NAMES must be case-insensitive or exact/],
  [
    "HOLDFAST_CORS_ORIGINS",
    "*",
    /^HOLDFAST_CORS_ORIGINS must be exact origins .*; the origin has a wildcard/,
  ],
  ["HOLDFAST_CORS_ORIGINS", "https://app.example.com/", /; the origin ends with a slash, which must go$/],
  ["HOLDFAST_CORS_ORIGINS", "https://a.example, https://b.example/", /; origin 2 of 2 ends with a slash, /],
  [
    "HOLDFAST_CORS_ORIGINS",
    "https://a.example,https://*.b.example/",
    /; origin 2 of 2 has a wildcard; list each/,
  ],
  ["HOLDFAST_COOKIES", "https://a.example/,https://b.example", /; origin 1 of 2 ends with a slash, /],
  ["HOLDFAST_CORS_ORIGINS", "null", /^HOLDFAST_CORS_ORIGINS must be .*; the origin is not exact$/],
  ["HOLDFAST_COOKIES", "true", /^HOLDFAST_COOKIES must be exact origins/],
  ["HOLDFAST_COOKIES", "https://*.example.com", /^HOLDFAST_COOKIES must be .* without wildcards/],
  ["HOLDFAST_COOKIES_SAME_SITE", "none", /^HOLDFAST_COOKIES_SAME_SITE must be strict or lax/],
  ["HOLDFAST_COOKIES_SAME_SITE", "lax", /^HOLDFAST_COOKIES_SAME_SITE needs HOLDFAST_COOKIES/],
  ["HOLDFAST_TRUSTED_PROXIES", "proxy.internal", /^HOLDFAST_TRUSTED_PROXIES must be addresses/],
  ["HOLDFAST_TRUSTED_PROXIES", "10.0.0.0/33", /^HOLDFAST_TRUSTED_PROXIES must be/],
  ["HOLDFAST_TRUSTED_PROXIES", "10.0.0.0/", /^HOLDFAST_TRUSTED_PROXIES must be/],
  ["HOLDFAST_TRUSTED_PROXIES", "10.0.0.0/8/8", /^HOLDFAST_TRUSTED_PROXIES must be/],
  ["HOLDFAST_LOG_LEVEL", "verbose", /^HOLDFAST_LOG_LEVEL must be trace, debug, info, warn/],
  ["HOLDFAST_REQUEST_LOG", "true", /^HOLDFAST_REQUEST_LOG must be off, failed, all/],
  ["HOLDFAST_LOG_LEVEL", "WARN", /^HOLDFAST_LOG_LEVEL must be/],
  ["HOLDFAST_TRACES", "true", /^HOLDFAST_TRACES must be off, on or propagate/],
  ["HOLDFAST_BOOTSTRAP_USER", "alice", /^HOLDFAST_BOOTSTRAP_USER must be name:password/],
  ["HOLDFAST_BOOTSTRAP_USER", "alice:short", /^HOLDFAST_BOOTSTRAP_USER must be/],
  ["HOLDFAST_BOOTSTRAP_USER", ":password-only", /^HOLDFAST_BOOTSTRAP_USER must be/],
];
for (const [name, value, message] of wrong) {
  test(`rejects ${name}=${JSON.stringify(value)} by name`, () => {
    assert.throws(() => readSettings({ [name]: value }), { code: "invalid_option", message });
  });
}

test("rejects an unknown setting, and suggests a similar name", () => {
  assert.throws(() => readSettings({ HOLDFAST_PROT: "1" }), {
    message: "HOLDFAST_PROT is not a setting; did you mean HOLDFAST_PORT?",
  });
  assert.throws(() => readSettings({ HOLDFAST_PROVIDER_URL: "https://id.example.com" }), {
    message: "HOLDFAST_PROVIDER_URL is not a setting; did you mean HOLDFAST_PROVIDER_ISSUER?",
  });
  assert.throws(() => readSettings({ HOLDFAST_GRACE: "600" }), {
    message: /^HOLDFAST_GRACE has two settings in its place: set HOLDFAST_LOST_ANSWER, and HOLDFAST_CONFLICT/,
  });
  assert.throws(() => readSettings({ HOLDFAST_FAVOURITE_COLOUR: "1" }), {
    message: /^HOLDFAST_FAVOURITE_COLOUR is not a setting; there are HOLDFAST_HOST, HOLDFAST_PORT/,
  });
});

test("law 5: reports all problems at once, and shows no value of a setting", () => {
  const secrets = {
    HOLDFAST_SECRET: "hunter2-secret",
    HOLDFAST_CLIENTS: "hunter2-client",
    HOLDFAST_BOOTSTRAP_USER: "hunter2-user",
    HOLDFAST_PROT: "hunter2-unknown",
    HOLDFAST_URL: "hunter2-url",
  };
  assert.throws(
    () => readSettings(secrets),
    (error: Error) => {
      assert.equal(error.message.split("\n").length, 5);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
});

test("every setting has either a default that its own parser accepts, or a text for its absence", () => {
  for (const [name, { parse, default: text, otherwise }] of Object.entries(settingDefinitions)) {
    assert.notEqual(text === undefined, otherwise === undefined, name);
    if (text !== undefined) assert.notEqual(parse(text), undefined, name);
  }
});

test("the issuer of a provider may be a plain http URL where HOLDFAST_ALLOW_HTTP or a key set allows it", () => {
  const issuer = "http://id.example";
  const enough = { HOLDFAST_ALLOW_HTTP: "id.example", HOLDFAST_PROVIDER_JWKS_URL: "https://id.example/keys" };
  for (const [name, value] of Object.entries(enough)) {
    const { provider } = readSettings({ HOLDFAST_PROVIDER_ISSUER: issuer, [name]: value });
    assert.equal(provider?.issuer, issuer, name);
  }
});
