import assert from "node:assert/strict";
import { test } from "node:test";
import { createConnections } from "../../src/connections/index.ts";
import { createGuard, sharedSecret } from "../../src/index.ts";
import { createMcpResource, type McpResourceOptions } from "../../src/mcp/index.ts";

const resource = "https://mcp.example.com/mcp";
const keys = sharedSecret(Buffer.from("a secret that is at least 32 bytes long"), "HS256");
const guardOf = (issuer: string) => createGuard({ issuer, audience: resource, keys });

test("createMcpResource names a wrong option, and what it must be", async (t) => {
  const guard = guardOf("https://id.example.com");
  t.after(async () => await guard.close());
  const wrong: [options: object, message: RegExp][] = [
    [{}, /^createMcpResource: resource must be an http\(s\) URL without query and fragment; got undefined/],
    [{ resource: "mcp.example.com" }, /resource must be an http.*; got "mcp\.example\.com"/],
    [{ resource: `${resource}?a=1` }, /resource must be an http.*; got a string$/],
    [{ resource: `${resource}#a` }, /resource must be an http/],
    [{ resource, authorizationServers: [] }, /authorizationServers must be a list of http\(s\) URLs/],
    [{ resource, authorizationServers: ["id"] }, /authorizationServers must be a list/],
    [{ resource, rules: { scope: ["a"] } }, /^createMcpResource: rules has no option "scope"/],
    [{ resource, rules: { audience: "a" } }, /rules.audience must be left out/],
    [{ resource, metadata: [] }, /metadata must be an object/],
    [{ resource, metadata: { resource: "a" } }, /metadata.resource must be left out/],
    [{ resource, sessionSecret: "short" }, /sessionSecret must be at least 32 bytes; got a string/],
    [{ resource, scopes: ["a"] }, /^createMcpResource has no option "scopes"/],
  ];
  for (const [options, message] of wrong) {
    const all = { guard, ...options } as McpResourceOptions;
    assert.throws(() => createMcpResource(all), { code: "invalid_option", message });
  }
  const empty = { guard: {}, resource } as unknown as McpResourceOptions;
  assert.throws(() => createMcpResource(empty), { code: "missing_method", message: /admit/ });
});

test("the authorization servers are the issuers of the guard, or must be named", async (t) => {
  const unnamed = guardOf("joe");
  t.after(async () => await unnamed.close());
  assert.throws(() => createMcpResource({ guard: unnamed, resource }), /no issuer of the guard is one/);
  const authorizationServers = ["https://id.example.com"];
  const mcp = createMcpResource({ guard: unnamed, resource, authorizationServers });
  assert.deepEqual(mcp.metadata.authorization_servers, authorizationServers);
  await mcp.close();
});

test("the metadata of a resource without a path has the well-known path itself", async (t) => {
  const guard = guardOf("https://id.example.com");
  t.after(async () => await guard.close());
  for (const [url, path] of [
    ["https://mcp.example.com", ""],
    ["https://mcp.example.com/", ""],
    [resource, "/mcp"],
    ["https://mcp.example.com/a/b/", "/a/b/"],
  ] as const) {
    const mcp = createMcpResource({ guard, resource: url });
    assert.equal(mcp.metadataUrl, `https://mcp.example.com/.well-known/oauth-protected-resource${path}`);
    assert.equal(mcp.metadata.resource, url);
    await mcp.close();
  }
});

test("connections of the application stay open when the resource closes", async (t) => {
  const guard = guardOf("https://id.example.com");
  const connections = createConnections({ guard });
  t.after(async () => {
    await connections.close();
    await guard.close();
  });
  await createMcpResource({ guard, resource, connections }).close();
  const outcome = await connections.admit("nonsense");
  assert.notEqual(outcome.status, "unavailable");
});
