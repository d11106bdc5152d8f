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
  ["plain text over a network", { url: "http://id.example.com/introspect" }, /url must be an https URL/],
  ["credentials in the URL", { url: "https://me:secret@id.example.com" }, /url must be/],
  ["no URL", { url: "introspect" }, /url must be/],
  ["an option that nobody reads", { timeout: 5 }, /has no option "timeout"/],
  ["no client", { clientId: undefined }, /clientId must be a non-empty string/],
  ["no secret", { clientSecret: "" }, /clientSecret must be a non-empty string/],
  ["an unknown way to authenticate", { auth: "digest" }, /auth must be "basic", "post" or "bearer"/],
  [
    "bearer without a token",
    { auth: "bearer", clientId: undefined, clientSecret: undefined },
    /bearerToken must be/,
  ],
  [
    "a token that no header can carry",
    { auth: "bearer", bearerToken: "secret\r\nX: y" },
    /bearerToken must be/,
  ],
  ["two identities", { bearerToken: "token" }, /clientId must be absent/],
  ["basic with a bearer token", { auth: "basic", bearerToken: "token" }, /bearerToken must be absent/],
  ["an expression that remembers", { opaque: /x/g }, /opaque must be/],
  ["opaque in words", { opaque: "true" }, /opaque must be/],
  ["no time", { timeoutMs: 0 }, /timeoutMs must be a whole number from 1 to 60000/],
  ["no room", { maxBytes: 0.5 }, /maxBytes must be/],
  ["nobody at once", { maxConcurrent: 0 }, /maxConcurrent must be/],
  ["probes without pause", { probeMs: 10 }, /probeMs must be/],
  ["a probeToken that is a token", { probeToken: "secret" }, /probeToken must be a function/],
  ["a header that is no text", { headers: { "x-tenant": 7 } }, /headers\["x-tenant"\] must be/],
  ["no fetch", { fetch: "fetch" }, /fetch must be a function/],
];

for (const [what, options, names] of wrong) {
  test(`${what} is refused at creation, by name and without a value`, () => {
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

test("options are read once: what the caller changes later changes nothing", async () => {
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

test("basic form-encodes identifier and secret before it joins them (RFC 6749 §2.3.1)", async () => {
  const { headers } = await sentBy(introspection, { clientId: "a:b", clientSecret: "p w&é" });
  const [scheme, credentials = ""] = (headers["authorization"] ?? "").split(" ");
  assert.deepEqual([scheme, Buffer.from(credentials, "base64").toString()], ["Basic", "a%3Ab:p+w%26%C3%A9"]);
});

test("a header of one's own does not mingle with ours, however it is spelled", async () => {
  const { headers } = await sentBy(introspection, {
    ...client,
    headers: { Authorization: "x", "X-Tenant": "acme" },
  });
  assert.match(headers["authorization"] ?? "", /^Basic /);
  assert.deepEqual([headers["Authorization"], headers["x-tenant"]], [undefined, "acme"]);
});

test("any identifier and secret come back as they were from what basic sends", async () => {
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

test("introspection sends a form, with the client in it for post", async () => {
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

test("validation sends JSON, with the client in it for post", async () => {
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

test("a bearer token may be a function's, plain or promised, and is asked for each time", async () => {
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
  ["gives none", () => "s3cret s3cret"],
] as [string, () => string | Promise<string>][]) {
  test(`a bearer function that ${what} keeps the question from being asked: unavailable, and nothing is told of it`, async (t) => {
    const setup = setUpAuthority(t, { bearerToken }, {});
    const outcome = await setup.askAndAdvance(2000);
    assert.ok(outcome.status === "unavailable");
    assert.deepEqual([setup.asked.length, setup.events()], [0, ["authority_failed"]]);
    assert.ok(!JSON.stringify([outcome, setup.messages, setup.authority.status()]).includes("s3cret"));
  });
}

test("law 5: no token, secret or word of an answer shows in outcomes, events or status", async (t) => {
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
  const said: unknown[] = [];
  for (const answer of answers) {
    setup.answer = answer;
    said.push(await setup.askAndAdvance(11_000, token), setup.authority.status());
  }
  const text = JSON.stringify([said, setup.messages]);
  assert.ok(setup.messages.length > 0);
  for (const secret of ["secret-answer", token, client.clientSecret]) assert.ok(!text.includes(secret), text);
});

test("opaque tokens are asked about only where that was wished for, and true means bearer tokens of a certain length that are no JWT", () => {
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
