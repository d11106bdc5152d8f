import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createGuard, discovered, jwks, oneOf, staticKeys, type Guard } from "../../src/index.ts";
import { audience, collectMessages, issuer, makeFixture } from "./fixture.ts";

/** Records what is written with `console.warn` until the test ends. */
function recordConsole(t: TestContext): string[] {
  const lines: string[] = [];
  t.mock.method(console, "warn", (text: string) => void lines.push(text));
  return lines;
}

const kinds = (lines: readonly string[]) => lines.map((line) => line.split(":")[1]?.trim());

test("the first token with a wrong audience is explained on the console, once a minute", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint, clock } = await makeFixture();
  const guarded = guard({ name: "orders" });
  const wrong = async () => await guarded.validate(mint.token({ aud: "account", jti: String(clock.now()) }));
  for (let i = 0; i < 5; i++) await wrong();
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? "",
    /wrong_audience: the guard "orders" refused a token of "https:\/\/id\.example": its "aud" is "account"/,
  );
  assert.match(lines[0] ?? "", /expects "https:\/\/api\.example" \(option audience\)/);
  await clock.advance(59_000);
  await wrong();
  assert.equal(lines.length, 1);
  await clock.advance(1_000);
  await wrong();
  assert.deepEqual(kinds(lines), ["wrong_audience", "wrong_audience"]);
});

test("each kind has its own minute, and a refusal without a claim at fault is not explained", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint } = await makeFixture();
  const guarded = guard();
  for (const claims of [
    { aud: undefined },
    { iss: "https://id.example/" },
    { cnf: { jkt: "x" } },
    { aud: "x" },
  ]) {
    await guarded.validate(mint.token(claims));
  }
  await guarded.validate("no token");
  assert.deepEqual(kinds(lines), ["wrong_audience", "wrong_issuer"]);
  assert.match(lines[0] ?? "", /it has no "aud"/);
  assert.match(
    lines[1] ?? "",
    /its "iss" is "https:\/\/id\.example\/", and the guard expects "https:\/\/id\.example"/,
  );
});

test("the first token without a required claim is explained, and each claim has its own minute", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint, clock } = await makeFixture();
  const guarded = guard({ requiredClaims: ["sub", ["tenant", "org"]] });
  for (let i = 0; i < 3; i++) {
    for (const claims of [{ sub: undefined }, {}, { exp: undefined }, { iss: undefined }]) {
      await guarded.validate(mint.token({ ...claims, jti: String(i) }));
    }
  }
  assert.equal(lines.length, 4);
  assert.match(lines[0] ?? "", /missing_claim: the guard .* it has no sub, and the guard requires it/);
  assert.match(
    lines[1] ?? "",
    /it has no tenant or org, and the guard requires it \(option requiredClaims\)/,
  );
  assert.match(lines[2] ?? "", /it has no exp, and the guard requires it \(option allowMissingExp\)/);
  assert.match(
    lines[3] ?? "",
    /it has no "iss", and the guard expects "https:\/\/id\.example" \(option issuer\)/,
  );
  await clock.advance(60_000);
  await guarded.validate(mint.token({ sub: undefined }));
  assert.equal(lines.length, 5);
});

test("a claim with a wrong value is explained by what the guard expects, never by the value of the token", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint } = await makeFixture();
  const guarded = guard({ claims: { hd: "example.com" } });
  await guarded.validate(mint.token({ hd: "hush" }));
  await guarded.validate(mint.token({ hd: undefined }));
  const { status } = await guarded.authorize(mint.token({ hd: "example.com", plan: "hush" }), {
    claims: { plan: oneOf("pro", null) },
  });
  assert.equal(status, "invalid");
  assert.deepEqual(kinds(lines), ["wrong_claim", "wrong_claim"]);
  assert.match(lines[0] ?? "", /its "hd" has another value, and the guard expects "example\.com"/);
  assert.match(lines[1] ?? "", /its "plan" has another value, and the guard expects "pro" or null/);
  assert.doesNotMatch(lines.join(""), /hush/);
});

test("an audience in a claim of its own is explained like aud when the token lacks it", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint } = await makeFixture();
  await guard({ audienceFrom: "client_id" }).validate(mint.token());
  assert.deepEqual(kinds(lines), ["wrong_audience"]);
  assert.match(lines[0] ?? "", /it has no "client_id", and the guard expects .* \(option audience\)/);
});

test("law 6: rules for many claims write a bounded number of lines a minute", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint } = await makeFixture();
  const guarded = guard();
  const token = mint.token();
  for (let i = 0; i < 200; i++) await guarded.authorize(token, { claims: { [`claim${i}`]: "x" } });
  assert.equal(lines.length, 51);
});

test("an ID token in place of the access token is explained, without the values of its login", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint, clock } = await makeFixture();
  const guarded = guard();
  const wrong: [claims: Record<string, unknown>, header: Record<string, unknown>, explained: RegExp][] = [
    [
      { nonce: "hush" },
      {},
      /it has "nonce", so it is an ID token, and the guard expects "access" \(option types\)/,
    ],
    [{ at_hash: "hush" }, {}, /it has "at_hash", so it is an ID token/],
    [{ typ: "ID" }, {}, /its "typ" is "ID", and the guard expects "access" \(option types\)/],
    [{}, { typ: "logout+jwt" }, /its "typ" is "logout\+jwt", and the guard expects "at\+jwt" or/],
  ];
  for (const [claims, header, explained] of wrong) {
    await guarded.validate(mint.token(claims, header));
    assert.match(lines.at(-1) ?? "", explained);
    assert.match(
      lines.at(-1) ?? "",
      /wrong_type: the guard .*\. Clients must send the access token\. Holdfast/,
    );
    await clock.advance(60_000);
  }
  assert.equal(lines.length, wrong.length);
  assert.doesNotMatch(lines.join(""), /hush/);
});

test("keys that cannot be fetched are explained", async (t) => {
  const lines = recordConsole(t);
  const { mint, clock } = await makeFixture();
  const keys = jwks("https://id.example/jwks", { fetch: () => new Response(null, { status: 404 }) });
  const guard: Guard = createGuard({ issuer, audience, keys, clock });
  t.after(async () => await guard.close());
  assert.equal((await guard.validate(mint.token())).status, "unavailable");
  assert.deepEqual(kinds(lines), ["keys_failed"]);
  assert.match(
    lines[0] ?? "",
    /cannot fetch the keys of "https:\/\/id\.example" from "https:\/\/id\.example\/jwks": .*404/,
  );
});

test("the console names the address that was asked for keys, without its query", async (t) => {
  const lines = recordConsole(t);
  const { mint, clock } = await makeFixture();
  const failing = () => Promise.reject(Object.assign(new TypeError("x"), { code: "ENOTFOUND" }));
  const internal = "http://keycloak:8080/realms/shop/certs";
  const keys = [
    jwks(`${internal}?key=hush#part`, { fetch: failing, allowHttp: ["keycloak"] }),
    discovered({ url: "https://inside.example/metadata", fetch: failing }),
  ];
  for (const source of keys) {
    const guard: Guard = createGuard({ issuer, audience, keys: source, clock });
    t.after(async () => await guard.close());
    await guard.validate(mint.token());
  }
  assert.match(
    lines[0] ?? "",
    /keys of "https:\/\/id\.example" from "http:\/\/keycloak:8080\/realms\/shop\/certs": ENOTFOUND/,
  );
  assert.match(lines[1] ?? "", /from "https:\/\/inside\.example\/metadata": ENOTFOUND/);
  assert.doesNotMatch(lines.join(""), /hush/);
});

test("with several issuers, a refusal names its issuer, and each issuer has its own minute", async (t) => {
  const lines = recordConsole(t);
  const { mint, clock } = await makeFixture();
  const keys = staticKeys(mint.jwks());
  const names = ["https://a.example", "https://b.example"];
  const guarded = createGuard({ issuers: names.map((name) => ({ issuer: name, audience, keys })), clock });
  for (const iss of [...names, ...names]) await guarded.validate(mint.token({ iss, aud: "account" }));
  await guarded.validate(mint.token({ iss: names[1], sub: undefined }));
  const token = mint.token({ iss: names[1] });
  await guarded.authorize(token, { audience: "billing" });
  await guarded.authorize(token, { claims: { plan: "pro" } });
  await guarded.validate(mint.token({ iss: "https://c.example" }));
  assert.deepEqual(
    lines.map((line) => / refused a token(?: of "([^"]*)")?: /.exec(line)?.[1]),
    ["https://a.example", "https://b.example", "https://b.example", "https://b.example", undefined],
  );
  assert.deepEqual(kinds(lines), [
    "wrong_audience",
    "wrong_audience",
    "missing_claim",
    "wrong_claim",
    "wrong_issuer",
  ]);
});

test("a refusal is an event without the console, too, and at most one a minute", async (t) => {
  const lines = recordConsole(t);
  const refusals = collectMessages("token_refused");
  const { guard, mint, clock } = await makeFixture();
  const guarded = guard({ warnings: false });
  const refuse = async () => await guarded.validate(mint.token({ aud: "x", jti: String(clock.now()) }));
  for (let i = 0; i < 3; i++) await refuse();
  await clock.advance(60_000);
  await refuse();
  const message =
    'wrong_audience: the guard refused a token of "https://id.example": ' +
    'its "aud" is "x", and the guard expects "https://api.example" (option audience)';
  assert.deepEqual(refusals.stop(), [message, message]);
  assert.deepEqual(lines, []);
});

test("warnings: false keeps the console quiet", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint } = await makeFixture();
  const guarded = guard({ warnings: false });
  await guarded.validate(mint.token({ aud: "x" }));
  assert.deepEqual(lines, []);
  assert.throws(() => guard({ warnings: "off" as never }), {
    message: /warnings must be true or false; got "off"/,
  });
});

test("law 6: a stranger neither forges lines of the console nor writes more than five a minute", async (t) => {
  const lines = recordConsole(t);
  const { mint, clock } = await makeFixture();
  const keys = staticKeys(mint.jwks());
  const trusted = [issuer, "https://other.example"].map((name) => ({ issuer: name, audience, keys }));
  const guard = createGuard({ issuers: trusted, clock });
  for (let i = 0; i < 100; i++) {
    await guard.validate(
      mint.token({ iss: `https://evil.example/${i}\n\u001B[2J\u202E${"x".repeat(5_000)}` }),
    );
  }
  assert.equal(lines.length, 5);
  assert.match(lines[0] ?? "", /^[\x20-\x7e]{100,2000}$/);
});

test("the token of a stranger does not hide the wrong issuer of the operator, and a line counts those without one", async (t) => {
  const lines = recordConsole(t);
  const { mint, clock } = await makeFixture();
  const keys = staticKeys(mint.jwks());
  const trusted = [issuer, "https://other.example"].map((name) => ({ issuer: name, audience, keys }));
  const guard = createGuard({ issuers: trusted, clock });
  const refuse = async (iss: string) => await guard.validate(mint.token({ iss, jti: String(clock.now()) }));
  await refuse("https://stranger.example");
  for (let i = 0; i < 2; i++) await refuse(`${issuer}/`);
  assert.deepEqual([lines.length, /"iss" is "https:\/\/id\.example\/"/.test(lines[1] ?? "")], [2, true]);
  for (let i = 0; i < 10; i++) await refuse(`https://stranger.example/${i}`);
  assert.equal(lines.length, 5);
  await clock.advance(60_000);
  await refuse(`${issuer}/`);
  assert.match(lines[5] ?? "", /; it also refused 7 tokens of further issuers without a line/);
});

test("after a minute, claims past the bound have a separate minute again", async (t) => {
  const lines = recordConsole(t);
  const { guard, mint, clock } = await makeFixture();
  const guarded = guard();
  const ask = async (name: string) => await guarded.authorize(mint.token(), { claims: { [name]: "x" } });
  for (let i = 0; i < 60; i++) await ask(`claim${i}`);
  assert.equal(lines.length, 51);
  await clock.advance(60_000);
  for (let i = 0; i < 2; i++) await ask(`later${i}`);
  assert.equal(lines.length, 53);
});
