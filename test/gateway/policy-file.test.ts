import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { readPolicyFile } from "../../src/gateway/policy-file.ts";

async function written(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-policy-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "policy.json"), text);
  return join(folder, "policy.json");
}

test("reads a policy with comments, in the order of its rules", async (t) => {
  const file = await written(
    t,
    `{
      // Anybody may ask how it is. "
      "rules": [
        { "path": "/health", "methods": ["GET"], "anonymous": true },
        /* { "path": "/nothing" }, */
        { "host": "api.example", "path": "/a/*", "scopes": ["s"] } // ] }
      ]
    }`,
  );
  assert.deepEqual(
    (await readPolicyFile(file)).map(({ path: { base, includesBelow }, ...rule }) => ({
      ...rule,
      base,
      below: includesBelow,
    })),
    [
      { host: null, methods: ["GET"], requirements: null, base: "/health", below: false },
      { host: "api.example", methods: null, requirements: { scopes: ["s"] }, base: "/a", below: true },
    ],
  );
});

test("reads scopes, mode and ages of a rule, and ignores comment marks in a string", async (t) => {
  const ages = { maxRevocationAgeMs: 0, maxAuthAgeMs: 1000 };
  const claims = { tid: { oneOf: ["a", "b"] }, email_verified: true };
  const scopes = ["https://x/y", "/*z*/"];
  const requirements = { scopes, anyScope: ["a"], claims, degraded: "deny", ...ages };
  const file = await written(t, JSON.stringify({ rules: [{ path: "/*", ...requirements }] }));
  assert.deepEqual((await readPolicyFile(file))[0]?.requirements, requirements);
});

test("tokenFrom names the cookie of every rule, and its place does not move the lines of the rules", async (t) => {
  const cookie = { name: "__Host-hf_at", origins: ["https://app.example", "capacitor://localhost"] };
  const text = JSON.stringify({ tokenFrom: { cookie }, rules: [{ path: "/a" }, { path: "/*" }] });
  const rules = await readPolicyFile(await written(t, text));
  for (const rule of rules) assert.deepEqual(rule.cookie, { ...cookie, origins: new Set(cookie.origins) });
  const wrongRule = `{\n"tokenFrom": { "cookie": { "name": "a", "origins": ["https://a", "https://b"] } },\n"rules": [\n{ "path": "a" } ] }`;
  await assert.rejects(readPolicyFile(await written(t, wrongRule)), { message: /: line 4: path must be/ });
});

const wrong: [what: string, text: string, message: RegExp][] = [
  ["an empty file", "", /is not JSON/],
  [
    "a wildcard among the origins",
    '{ "tokenFrom": { "cookie": { "name": "a", "origins": ["https://*.example"] } }, "rules": [{ "path": "/*" }] }',
    /tokenFrom\.cookie\.origins must be a list of exact origins/,
  ],
  [
    "a cookie with a blank in its name",
    '{ "tokenFrom": { "cookie": { "name": "a b", "origins": ["https://a.example"] } }, "rules": [{ "path": "/*" }] }',
    /tokenFrom\.cookie\.name must be the name of a cookie/,
  ],
  ["a comma too many", '{\n"rules": [\n{ "path": "/*" },\n] }', /is not JSON: .*\}, \] \}/],
  ["a list", "[]", /must be an object/],
  ["no rules", "{}", /rules must be a list of rules/],
  ["an empty list", '{ "rules": [] }', /rules must have a rule/],
  ["another member", '{ "rules": [{ "path": "/*" }], "default": "allow" }', /Unrecognized key: "default"/],
  ["a member twice", '{ "rules": [{ "path": "/*", "path": "/a" }] }', /without duplicate members/],
  ["a rule without path", '{ "rules": [\n{ "anonymous": true }] }', /line 2: path must be a path such as/],
  [
    "a misspelt member",
    '{ "rules": [{ "path": "/*", "scope": ["a"] }] }',
    /line 1: Unrecognized key: "scope"/,
  ],
  ["an odd path", '{ "rules": [{ "path": "/a//b" }] }', /line 1: path must be/],
  ["a wildcard inside", '{ "rules": [{ "path": "/*/b" }] }', /line 1: path must be/],
  ["a bad method", '{ "rules": [{ "path": "/*", "methods": ["get"] }] }', /line 1: methods must be/],
  ["HEAD", '{ "rules": [{ "path": "/*", "methods": ["HEAD"] }] }', /GET includes HEAD/],
  ["CONNECT", '{ "rules": [{ "path": "/*", "methods": ["CONNECT"] }] }', /line 1: methods must be/],
  ["no methods", '{ "rules": [{ "path": "/*", "methods": [] }] }', /line 1: methods must be/],
  ["a host with port", '{ "rules": [{ "path": "/*", "host": "a:1" }] }', /line 1: host must be/],
  ["a host in capitals", '{ "rules": [{ "path": "/*", "host": "A.example" }] }', /line 1: host must be/],
  ["no scopes", '{ "rules": [{ "path": "/*", "scopes": [] }] }', /line 1: scopes must be one scope/],
  ["an odd scope", '{ "rules": [{ "path": "/*", "scopes": ["a b"] }] }', /line 1: scopes must be/],
  [
    "no scope of several",
    '{ "rules": [{ "path": "/*", "anyScope": [] }] }',
    /line 1: anyScope must be one scope/,
  ],
  ["odd claims", '{ "rules": [{ "path": "/*", "claims": ["a"] }] }', /line 1: claims must be an object/],
  [
    "an odd claim",
    '{ "rules": [\n{ "path": "/*", "claims": { "tid": [] } }] }',
    /line 2: claims tid must be a non-empty string.*; got \[\]/,
  ],
  [
    "anonymous with claims",
    '{ "rules": [{ "path": "/*", "anonymous": true, "claims": { "tid": "a" } }] }',
    /line 1: cannot be anonymous and have scopes, anyScope, audience, claims/,
  ],
  ["an odd audience", '{ "rules": [{ "path": "/*", "audience": [""] }] }', /line 1: audience must be/],
  ["no audience", '{ "rules": [{ "path": "/*", "audience": [] }] }', /line 1: audience must be/],
  ["an odd mode", '{ "rules": [{ "path": "/*", "degraded": true }] }', /line 1: degraded must be deny/],
  ["an odd age", '{ "rules": [{ "path": "/*", "maxRevocationAgeMs": -1 }] }', /maxRevocationAgeMs must be/],
  ["anonymous: false", '{ "rules": [{ "path": "/*", "anonymous": false }] }', /anonymous must be true/],
  [
    "anonymous with scopes",
    '{ "rules": [{ "path": "/*", "anonymous": true, "scopes": ["a"] }] }',
    /line 1: cannot be anonymous and have scopes/,
  ],
  [
    "a rule that is never reached",
    '{ "rules": [\n// first\n{ "path": "/*" },\n\n{ "path": "/a", "anonymous": true }] }',
    /line 5: is never reached: line 3 comes first/,
  ],
  [
    "a method that is never reached",
    '{ "rules": [\n{ "path": "/a", "methods": ["GET"] },\n{ "path": "/A", "methods": ["PUT", "GET"] }] }',
    /line 3: is never reached for GET: line 2 comes first/,
  ],
];
for (const [what, text, message] of wrong) {
  test(`rejects ${what}, and names its place`, async (t) => {
    const file = await written(t, text);
    await assert.rejects(readPolicyFile(file), (error: Error & { code: string }) => {
      assert.equal(error.code, "invalid_option");
      assert.ok(error.message.startsWith(`HOLDFAST_POLICY ${file}: `), error.message);
      assert.match(error.message, message);
      return true;
    });
  });
}

test("reports all problems at once", async (t) => {
  const file = await written(t, '{ "rules": [\n{ "path": "a" },\n{ "path": "/*", "scopes": [1] }] }');
  await assert.rejects(readPolicyFile(file), { message: /line 2: path[^]*\n.*line 3: scopes/ });
  const odd = await written(t, '{ "rules": [ 1,\n"a{", {\n"path": "/a" },\n\n{ "path": "a" }] }');
  await assert.rejects(readPolicyFile(odd), { message: /line 1: .*\n.*line 2: .*\n.*line 5: path/ });
});

test("rejects a missing file by name", async () => {
  await assert.rejects(readPolicyFile("/nowhere/policy.json"), {
    code: "invalid_option",
    message: "HOLDFAST_POLICY /nowhere/policy.json: cannot be read (ENOENT)",
  });
});

const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test("docs/run/gateway.md documents exactly the members of a rule, and its policy is valid", async (t) => {
  const page = await readFile(inRepository("docs/run/gateway.md"), "utf8");
  const source = await readFile(inRepository("src/gateway/policy-file.ts"), "utf8");
  const [, section = ""] = /^## The policy\n([^]*?)^#/m.exec(page) ?? [];
  const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name);
  const known = [...source.matchAll(/^ {4}(\w+): (?:must<|claimRules\.)/gm)].map(([, name = ""]) => name);
  assert.ok(known.length >= 7);
  assert.deepEqual(documented.toSorted(), known.toSorted());
  const [, example = ""] = /```jsonc\n([^]*?)```/.exec(section) ?? [];
  assert.equal((await readPolicyFile(await written(t, example))).length, 4);
  const [, nearest = ""] = /^### Parts in the middle[^]*?```json\n([^]*?)```/m.exec(page) ?? [];
  assert.equal((await readPolicyFile(await written(t, nearest))).length, 2);
  assert.ok((await readPolicyFile(inRepository("examples/nginx/policy.json"))).length > 0);
});

test("docs/run/gateway.md explains every refusal of the gateway", async () => {
  const page = await readFile(inRepository("docs/run/gateway.md"), "utf8");
  const sources = ["src/gateway/gateway.ts", "src/gateway/forwarded-request.ts"].map(inRepository);
  const texts = await Promise.all(sources.map(async (path) => await readFile(path, "utf8")));
  const said = texts
    .flatMap((text) => [...text.matchAll(/"((?:The|Host|No)\b[^"]+\.)"/g)])
    .map(([, one]) => one);
  assert.equal(said.length, 8);
  for (const one of said) assert.ok(page.includes(`| ${one} |`), one);
});
