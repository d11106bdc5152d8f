import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { introspection } from "../../../src/guard/authority/introspection.ts";
import type { AuthorityOptions } from "../../../src/guard/authority/settings.ts";
import { tokenValidation } from "../../../src/guard/authority/token-validation.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { client, issuer, setUpAuthority, status, url } from "./fixture.ts";

const wrong: [
  what: string,
  options: Partial<Record<keyof AuthorityOptions | "timeout", unknown>>,
  names: RegExp,
][] = [
  ["a plain http URL", { url: "http://id.example.com/introspect" }, /url must be an https URL/],
  ["credentials in the URL", { url: "https://me:secret@id.example.com" }, /url must be/],
  ["a url that is not a URL", { url: "introspect" }, /url must be/],
  ["an unknown option", { timeout: 5 }, /has no option "timeout"/],
  ["a missing clientId", { clientId: undefined }, /clientId must be a non-empty string/],
  ["an empty clientSecret", { clientSecret: "" }, /clientSecret must be a non-empty string/],
  ["an unknown auth", { auth: "digest" }, /auth must be "basic", "post", "private_key_jwt" or "bearer"/],
  [
    "bearer without a bearerToken",
    { auth: "bearer", clientId: undefined, clientSecret: undefined },
    /bearerToken must be/,
  ],
  [
    "a bearerToken that a header cannot carry",
    { auth: "bearer", bearerToken: "secret\r\nX: y" },
    /bearerToken must be/,
  ],
  ["a clientId with a bearerToken", { bearerToken: "token" }, /clientId must be absent/],
  ["basic with a bearer token", { auth: "basic", bearerToken: "token" }, /bearerToken must be absent/],
  ["an opaque expression with the flag g", { opaque: /x/g }, /opaque must be/],
  ["opaque as a string", { opaque: "true" }, /opaque must be/],
  ["timeoutMs 0", { timeoutMs: 0 }, /timeoutMs must be a whole number from 1 to 60000/],
  ["a fractional maxBytes", { maxBytes: 0.5 }, /maxBytes must be/],
  ["maxConcurrent 0", { maxConcurrent: 0 }, /maxConcurrent must be/],
  ["a probeMs that is too short", { probeMs: 10 }, /probeMs must be/],
  ["a probeToken that is a string", { probeToken: "secret" }, /probeToken must be a function/],
  ["a header that is a number", { headers: { "x-tenant": 7 } }, /headers\["x-tenant"\] must be/],
  ["a fetch that is a string", { fetch: "fetch" }, /fetch must be a function/],
];

for (const [what, options, names] of wrong) {
  test(`rejects ${what}, naming the option and never its value`, () => {
    for (const [kind, make] of Object.entries({ introspection, tokenValidation })) {
      assert.throws(
        () => make({ url, ...client, ...options } as AuthorityOptions),
        (error: { code: string; message: string }) => {
          assert.equal(error.code, "invalid_option");
          assert.match(error.message, names);
          assert.ok(error.message.startsWith(kind) && !error.message.includes("secret"), error.message);
          return true;
        },
      );
    }
  });
}

test("options are copied: later changes by the caller have no effect", async () => {
  const headers: Record<string, string> = { "x-tenant": "acme" };
  const sent: unknown[] = [];
  const options: AuthorityOptions = {
    url,
    ...client,
    headers,
    fetch: (_url, init) => {
      sent.push((init.headers as Record<string, string>)["x-tenant"]);
      return Response.json({ active: true });
    },
  };
  const authority = introspection(options).open({
    guard: "g",
    issuer,
    clock: new FakeClock(),
    random: Math.random,
  });
  headers["x-tenant"] = "evil";
  options.url = "https://evil.example";
  await authority.ask("opaque-token-0123456789");
  assert.deepEqual(sent, ["acme"]);
});

async function sentBy(make: typeof introspection, options: Partial<AuthorityOptions>) {
  let sent: { url: string; init: RequestInit } | undefined;
  const fetch = (to: string, init: RequestInit) => {
    sent = { url: to, init };
    return Response.json({ active: false, valid: false });
  };
  const source = make({ url, ...options, fetch });
  const answer = await source
    .open({ guard: "g", issuer, clock: new FakeClock(), random: Math.random })
    .ask("a+b/c==");
  assert.deepEqual(answer, { status: "no" });
  assert.ok(sent !== undefined);
  const { headers, body, method, redirect } = sent.init;
  assert.deepEqual([sent.url, method, redirect], [url, "POST", "manual"]);
  return { headers: headers as Record<string, string>, body: body as string };
}

test("basic form-encodes the clientId and clientSecret before it joins them (RFC 6749 §2.3.1)", async () => {
  const { headers } = await sentBy(introspection, { clientId: "a:b", clientSecret: "p w&é" });
  const [scheme, credentials = ""] = (headers["authorization"] ?? "").split(" ");
  assert.deepEqual([scheme, Buffer.from(credentials, "base64").toString()], ["Basic", "a%3Ab:p+w%26%C3%A9"]);
});

test("a configured Authorization header does not reach the request, in any spelling", async () => {
  const { headers } = await sentBy(introspection, {
    ...client,
    headers: { Authorization: "x", "X-Tenant": "acme" },
  });
  assert.match(headers["authorization"] ?? "", /^Basic /);
  assert.deepEqual([headers["Authorization"], headers["x-tenant"]], [undefined, "acme"]);
});

test("any clientId and clientSecret can be decoded from the basic header", async () => {
  const text = fc.string({ unit: "grapheme", minLength: 1 });
  await fc.assert(
    fc.asyncProperty(text, text, async (clientId, clientSecret) => {
      const { headers } = await sentBy(introspection, { clientId, clientSecret });
      const joined = Buffer.from(headers["authorization"]?.slice(6) ?? "", "base64").toString();
      const parts = joined.split(":").map((part) => new URLSearchParams(`v=${part}`).get("v"));
      assert.deepEqual(
        parts,
        [clientId, clientSecret].map((part) => part.toWellFormed()),
      );
    }),
  );
});

test("introspection sends a form, which holds the credentials with auth post", async () => {
  const { headers, body } = await sentBy(introspection, { auth: "post", ...client });
  assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal(headers["authorization"], undefined);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
    token: "a+b/c==",
    token_type_hint: "access_token",
    client_id: client.clientId,
    client_secret: client.clientSecret,
  });
});

test("validation sends JSON, which holds the credentials with auth post", async () => {
  const basic = await sentBy(tokenValidation, client);
  assert.equal(basic.headers["content-type"], "application/json");
  assert.deepEqual(JSON.parse(basic.body), { token: "a+b/c==" });
  const post = await sentBy(tokenValidation, { auth: "post", ...client });
  assert.deepEqual(JSON.parse(post.body), {
    token: "a+b/c==",
    client_id: client.clientId,
    client_secret: client.clientSecret,
  });
});

test("bearerToken is a string, or a function that returns a string or a promise", async () => {
  for (const bearerToken of ["t0ken", () => "t0ken", async () => await Promise.resolve("t0ken")]) {
    const { headers } = await sentBy(introspection, { bearerToken });
    assert.equal(headers["authorization"], "Bearer t0ken");
  }
});

for (const [what, bearerToken] of [
  [
    "throws",
    () => {
      throw new Error("s3cret");
    },
  ],
  ["hangs", async () => await new Promise<string>(() => {})],
  ["returns no token", () => "s3cret s3cret"],
] as [string, () => string | Promise<string>][]) {
  test(`a bearerToken function that ${what} makes the token unavailable, without a request and without its value in an event`, async (t) => {
    const setup = setUpAuthority(t, { bearerToken }, {});
    const outcome = await setup.askAndAdvance(2000);
    assert.ok(outcome.status === "unavailable");
    assert.deepEqual([setup.asked.length, setup.events()], [0, ["authority_failed"]]);
    assert.ok(!JSON.stringify([outcome, setup.messages, setup.authority.status()]).includes("s3cret"));
  });
}

test("law 5: outcomes, events and status hold no token, secret or part of a response", async (t) => {
  const setup = setUpAuthority(t);
  const token = "opaque-token-0123456789";
  const answers = [
    () => status(401, { "www-authenticate": "secret-answer" }),
    () => new Response("secret-answer"),
    () => Response.json({ active: "secret-answer" }),
    () => Response.json({ active: true, sub: { "secret-answer": 1 } }),
    () => {
      throw new TypeError(`secret-answer ${token} ${client.clientSecret}`);
    },
  ];
  const outcomes: unknown[] = [];
  for (const answer of answers) {
    setup.answer = answer;
    outcomes.push(await setup.askAndAdvance(11_000, token), setup.authority.status());
  }
  const text = JSON.stringify([outcomes, setup.messages]);
  assert.ok(setup.messages.length > 0);
  for (const secret of ["secret-answer", token, client.clientSecret]) assert.ok(!text.includes(secret), text);
});

test("opaque is off by default, and true matches bearer tokens of 16 to 1,024 characters that do not begin like a JWT", () => {
  for (const none of [undefined, false]) {
    assert.equal(introspection({ url, ...client, ...(none === false && { opaque: none }) }).opaque, null);
  }
  const own = /^tok_[a-z]{20}$/;
  assert.equal(introspection({ url, ...client, opaque: own }).opaque, own);
  const { opaque } = introspection({ url, ...client, opaque: true });
  assert.ok(opaque !== null);
  const hex = "0123456789abcdef";
  for (const token of [
    hex,
    hex.repeat(64),
    `${hex}==`,
    "eyJhbGciOiJFUzI1NiJ9",
    "a.b-c_d~e+f/g0123",
    "eyes-only-0123456789",
  ]) {
    assert.ok(opaque.test(token), token);
  }
  for (const token of [
    "",
    hex.slice(1),
    `${hex.repeat(64)}0`,
    `${hex.repeat(63)}${"=".repeat(17)}`,
    "===================",
    `${hex} ${hex}`,
    `${hex}\n`,
    `${hex}é`,
    `${hex}=0`,
    "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
    "eyJhbGciOiJFUzI1NiJ9.garbage",
    "ewogICJhbGciOiJSUzI1NiJ9.e30.AAAA",
    "eyAiYWxnIjogIkVTMjU2IiB9.e30.AAAA",
  ]) {
    assert.ok(!opaque.test(token), token);
  }
});
