import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { test, type TestContext } from "node:test";
import { auditEvents } from "../../../src/core/event-channels.ts";
import { randomNonce } from "../../../src/server/process-proof.ts";
import { startService } from "../../../src/server/serve.ts";
import { createProvider, type Provider } from "../../../src/testing/index.ts";
import { login, post } from "../../support/auth-calls.ts";
import { temporarySettings } from "../temporary-settings.ts";

const AUDIENCE = "https://api.example";

interface Fixture {
  readonly publicAddress: string;
  readonly adminAddress: string;
  /** An access token with the scope `holdfast:admin`. */
  readonly token: string;
}

async function start(t: TestContext, provider?: Provider): Promise<Fixture> {
  const running = await startService(
    await temporarySettings(
      provider === undefined
        ? {}
        : {
            HOLDFAST_AUDIENCE: AUDIENCE,
            HOLDFAST_PROVIDER_ISSUER: provider.issuer,
            HOLDFAST_PROVIDER_JWKS_URL: provider.url("jwks"),
            HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
            HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
            ALLOW_DEGRADED_AUTH: "local",
          },
    ),
  );
  t.after(running.stop);
  const { publicAddress, adminAddress } = running;
  return { publicAddress, adminAddress, token: (await login(publicAddress)).access_token };
}

async function startProvider(t: TestContext): Promise<Provider> {
  const provider = await createProvider({ audience: AUDIENCE });
  await provider.listen();
  t.after(async () => await provider.close());
  return provider;
}

async function act(
  address: string,
  path: string,
  token: string | null,
  body: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = {
    "content-type": "application/json",
    ...(token !== null && { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(address + path, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function collectAudit(t: TestContext): string[] {
  const notes: string[] = [];
  const collect = (event: unknown) => {
    const { kind, detail } = event as { kind: string; detail: string | null };
    notes.push(`${kind} ${detail}`);
  };
  auditEvents.subscribe(collect);
  t.after(() => auditEvents.unsubscribe(collect));
  return notes;
}

test("POST /guard/breaker takes the authority of the provider out of use, and gives it back", async (t) => {
  const provider = await startProvider(t);
  const { publicAddress, adminAddress, token } = await start(t, provider);
  const notes = collectAudit(t);
  const verify = async () => {
    const headers = { authorization: `Bearer ${provider.token()}` };
    const response = await fetch(`${publicAddress}/verify`, { headers });
    return [response.status, response.headers.get("x-auth-degraded")];
  };
  assert.deepEqual(await verify(), [200, ""]);
  const opened = await act(adminAddress, "/guard/breaker", token, { state: "open" });
  assert.deepEqual(opened, { status: 200, body: { issuer: provider.issuer, audited: true } });
  assert.deepEqual(await verify(), [200, "authority_unavailable"]);
  assert.equal((await act(adminAddress, "/guard/breaker", token, { state: "closed" })).status, 200);
  assert.deepEqual(await verify(), [200, ""]);
  assert.equal((await act(adminAddress, "/guard/breaker", token, { state: "auto" })).status, 200);
  assert.deepEqual(
    notes,
    ["open", "closed", "auto"].map((state) => `breaker_forced ${provider.issuer}: ${state}`),
  );
});

test("POST /guard/distrust-keys ends the trust in keys that left the provider's set", async (t) => {
  const provider = await startProvider(t);
  const { publicAddress, adminAddress, token } = await start(t, provider);
  const notes = collectAudit(t);
  const stolen = provider.token();
  const verify = async () =>
    (await fetch(`${publicAddress}/verify`, { headers: { authorization: `Bearer ${stolen}` } })).status;
  assert.equal(await verify(), 200);
  await provider.rotate();
  provider.vanish((JSON.parse(atob(stolen.split(".")[0] ?? "")) as { kid: string }).kid);
  assert.equal(await verify(), 200, "the guard still has the key");
  const ambiguous = await act(adminAddress, "/guard/distrust-keys", token, {});
  assert.equal(ambiguous.status, 400);
  assert.match(String(ambiguous.body["error_description"]), /^issuer: must be one of http.*, http/);
  const body = { issuer: provider.issuer };
  assert.equal((await act(adminAddress, "/guard/distrust-keys", token, body)).status, 200);
  assert.notEqual(await verify(), 200);
  assert.deepEqual(notes, [`keys_distrusted ${provider.issuer}`]);
});

test("a guard action needs a token of this service with the scope holdfast:admin", async (t) => {
  const provider = await startProvider(t);
  const { publicAddress, adminAddress, token } = await start(t, provider);
  const notes = collectAudit(t);
  const foreign = provider.token({ scope: "holdfast:admin" });
  assert.equal(
    (await fetch(`${publicAddress}/verify`, { headers: { authorization: `Bearer ${foreign}` } })).status,
    200,
  );
  for (const [path, body] of [
    ["/guard/breaker", { state: "open" }],
    ["/guard/distrust-keys", { issuer: provider.issuer }],
  ] as const) {
    assert.equal((await act(adminAddress, path, null, body)).status, 401);
    assert.equal((await act(adminAddress, path, `${token}x`, body)).status, 401);
    assert.equal((await act(adminAddress, path, foreign, body)).status, 403);
    assert.equal((await act(adminAddress, path, provider.token({ scope: "a" }), body)).status, 403);
    assert.equal((await fetch(adminAddress + path)).status, 405);
    // The public listener does not have the actions at all.
    assert.equal((await act(publicAddress, path, token, body)).status, 404);
  }
  await post(publicAddress, "/auth/logout", {}, token);
  assert.equal((await act(adminAddress, "/guard/breaker", token, { state: "open" })).status, 401);
  assert.deepEqual(
    notes.filter((note) => note.startsWith("breaker") || note.startsWith("keys")),
    [],
  );
});

const malformed: [path: string, body: unknown, description: RegExp][] = [
  ["/guard/breaker", {}, /^state: must be open, closed or auto$/],
  ["/guard/breaker", { state: "half-open" }, /^state: must be/],
  ["/guard/breaker", { state: "open", force: true }, /force/],
  ["/guard/breaker", "open", /The body/],
  ["/guard/breaker", { state: "open" }, /no issuer of this service has an authority/],
  ["/guard/distrust-keys", { issuer: 7 }, /^issuer: must be a string$/],
  ["/guard/distrust-keys", { issuer: "https://other.example" }, /^issuer: must be one of http:/],
];
test("a guard action with a malformed body answers 400 and names the member", async (t) => {
  const { adminAddress, token } = await start(t);
  for (const [path, body, description] of malformed) {
    const answer = await act(adminAddress, path, token, body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.match(String(answer.body["error_description"]), description);
  }
  const large = await act(adminAddress, "/guard/breaker", token, { state: "x".repeat(5000) });
  assert.equal(large.status, 413);
});

/** Sends the parts of a body chunked, without a Content-Length. */
async function actChunked(
  address: string,
  token: string,
  parts: readonly string[],
  type = "application/json",
): Promise<{ status: number | undefined; type: string | undefined; body: Record<string, unknown> }> {
  const headers = { authorization: `Bearer ${token}`, "content-type": type, "transfer-encoding": "chunked" };
  const sent = request(`${address}/guard/distrust-keys`, { method: "POST", headers });
  for (const part of parts) sent.write(part);
  const [response] = (await once(sent.end(), "response")) as [IncomingMessage];
  const text = (await response.toArray()).join("");
  return {
    status: response.statusCode,
    type: response.headers["content-type"],
    body: JSON.parse(text) as Record<string, unknown>,
  };
}

test("a chunked body is read, up to its limit", async (t) => {
  const { publicAddress, adminAddress, token } = await start(t);
  const done = await actChunked(adminAddress, token, ["{", "}"]);
  assert.deepEqual([done.status, done.body], [200, { issuer: publicAddress, audited: true }]);
  const large = await actChunked(adminAddress, token, ['{"issuer":"', "x".repeat(5000), '"}']);
  assert.deepEqual([large.status, large.body["error"]], [413, "invalid_request"]);
  const form = await actChunked(adminAddress, token, ["{}"], "text/plain");
  assert.deepEqual([form.status, form.body["error"]], [415, "invalid_request"]);
});

test("GET /guard/proof answers a challenge, and nothing else", async (t) => {
  const { publicAddress, adminAddress } = await start(t);
  const challenge = randomNonce();
  const response = await fetch(`${adminAddress}/guard/proof?challenge=${challenge}`);
  assert.equal(response.status, 200);
  assert.match(((await response.json()) as { proof: string }).proof, /^[\w-]{43}$/);
  for (const query of ["", "?challenge=", "?challenge=short", `?challenge=${challenge}x`]) {
    assert.equal((await fetch(`${adminAddress}/guard/proof${query}`)).status, 400, query);
  }
  assert.equal((await fetch(`${publicAddress}/guard/proof?challenge=${challenge}`)).status, 404);
});

test("a guard action under a foreign Host answers 421", async (t) => {
  const { adminAddress, token } = await start(t);
  const headers = { host: "evil.example", authorization: `Bearer ${token}` };
  const sent = request(`${adminAddress}/guard/distrust-keys`, { method: "POST", headers });
  const [response] = (await once(sent.end("{}"), "response")) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 421);
});
