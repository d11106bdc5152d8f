import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { generateSigningKey } from "../../src/jwt/sign.ts";
import { readGuardFile } from "../../src/server/guard-file.ts";
import { startService } from "../../src/server/serve.ts";
import { createMint, createProvider } from "../../src/testing/index.ts";
import { login, verify } from "../support/auth-calls.ts";
import { temporarySettings } from "./temporary-settings.ts";

async function folderFor(t: TestContext): Promise<(name: string, content: unknown) => Promise<string>> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-guard-file-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  return async (name, content) => {
    const file = join(folder, name);
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
    return file;
  };
}

test("HOLDFAST_GUARD names providers with audiences, types, claims and opaque tokens of their own", async (t) => {
  const write = await folderFor(t);
  const provider = await createProvider({ audience: "their-api" });
  await provider.listen();
  t.after(async () => await provider.close());
  const tenant = await createMint({ issuer: "https://login.example/t1", audience: "their-api" });
  const old = await createMint({ issuer: "https://old.example", audience: "old-api", algorithm: "HS256" });
  await write("secret", provider.clientSecret);
  await write("hmac", Buffer.from(old.secret ?? "").toString("latin1"));
  const file = await write("guard.json", {
    clockToleranceMs: 2_000,
    issuers: [
      {
        issuer: provider.issuer,
        audience: "their-api",
        claims: { token_use: "access" },
        keys: { jwks: provider.url("jwks"), headers: { "X-Api-Key": "k" } },
        authority: {
          introspection: {
            url: provider.url("introspection"),
            clientId: provider.clientId,
            clientSecretFile: "secret",
            opaque: "/^[\\w-]{20,}$/",
            headers: { "X-Api-Key": "k" },
          },
        },
      },
      {
        issuer: "https://login.example/{tid}",
        tenants: { tid: ["t1"] },
        audience: "their-api",
        types: ["jwt"],
        keys: { static: tenant.jwks() },
      },
    ],
  });
  const settings = await temporarySettings({ HOLDFAST_GUARD: file });
  const running = await startService(settings);
  t.after(running.stop);
  const status = async (token: string) => await verify(running.publicAddress, token);
  assert.equal(await status((await login(running.publicAddress)).access_token), 200);
  assert.equal(await status(provider.token({ token_use: "access" })), 200);
  assert.equal(await status(provider.token({ token_use: "refresh" })), 401);
  assert.equal(await status(provider.opaqueToken({ sub: "alice", token_use: "access" })), 200);
  assert.equal(await status(tenant.token({}, { typ: "JWT" })), 200);
  assert.equal(await status(tenant.token({}, { typ: "at+jwt" })), 401);
  assert.equal(await status(tenant.token({ iss: "https://login.example/t2" }, { typ: "JWT" })), 401);
});

test("the file may have a secret and a key set of one issuer, and a client key for introspection", async (t) => {
  const write = await folderFor(t);
  await write("hmac", "a secret that is long enough for HS256, in a file");
  await write("client-key.json", (await generateSigningKey("ES256")).privateJwk);
  const { keys } = (await createMint({ issuer: "https://id.example", audience: "a" })).jwks();
  const file = await write("guard.json", {
    issuers: [
      {
        issuer: "https://id.example",
        keys: [{ secretFile: "hmac", algorithm: "HS256" }, { static: { keys } }],
        authority: {
          introspection: {
            url: "https://id.example/i",
            clientId: "guard",
            privateKeyFile: "client-key.json",
            opaque: true,
          },
        },
      },
    ],
  });
  const { issuers, hasAuthority } = await readGuardFile(file, "https://api.example");
  assert.equal(issuers[0]?.audience, "https://api.example");
  assert.deepEqual([[issuers[0]?.keys].flat().length, hasAuthority], [2, true]);
});

const id = "https://id.example";
const wrong: [content: unknown, message: RegExp][] = [
  [{ issuers: [{ issuer: id, types: "jwt" }] }, /issuers\[0\]: types must be an array of strings/],
  [{ issuers: [{ issuer: id, audience: null }] }, /issuers\[0\]\.audience must be one audience or a list/],
  ["{", /must be a JSON object without duplicate members/],
  ['{"issuers":[],"issuers":[]}', /must be a JSON object without duplicate members/],
  [{ issuer: id }, /the file has no option "issuer"; it has issuers/],
  [{ issuers: {} }, /issuers must be a list/],
  [
    { issuers: [{ issuer: id, audiance: "x" }] },
    /issuers\[0\] has no option "audiance".*did you mean audience\?/,
  ],
  [
    { issuers: [{ issuer: id, keys: {} }] },
    /issuers\[0\]\.keys must be an object with jwks, discovered, static/,
  ],
  [{ issuers: [{ issuer: id, keys: { jwks: "http://x.example" } }] }, /jwks: url must be an https URL/],
  [{ issuers: [{ issuer: id, keys: { static: {}, x: 1 } }] }, /issuers\[0\]\.keys has no option "x"/],
  [
    { issuers: [{ issuer: id, keys: { secretFile: "none", algorithm: "HS256" } }] },
    /issuers\[0\]\.keys\.secretFile must name a file that is not empty/,
  ],
  [
    { issuers: [{ issuer: id, authority: { introspect: {} } }] },
    /issuers\[0\]\.authority has no option "introspect".*did you mean introspection\?/,
  ],
  [
    { issuers: [{ issuer: id, authority: { introspection: { url: id, opaque: "a(" } } }] },
    /authority\.introspection\.opaque must be true, false, or a text as in HOLDFAST_AUTHORITY_OPAQUE/,
  ],
  [
    { issuers: [{ issuer: id, authority: { introspection: { url: id, clientSecretFile: "none" } } }] },
    /clientSecretFile must name a file that is not empty/,
  ],
];

test("a wrong file is refused at the start, naming the file and the member", async (t) => {
  const write = await folderFor(t);
  for (const [content, message] of wrong) {
    const file = await write("guard.json", content);
    await assert.rejects(readGuardFile(file, "a"), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(`HOLDFAST_GUARD ${file}: `), error.message);
      return true;
    });
  }
  await assert.rejects(readGuardFile("/nonexistent/guard.json", "a"), /cannot be read \(ENOENT\)/);
});
