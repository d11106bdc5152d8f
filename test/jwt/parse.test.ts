import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeaderMemo, parseToken } from "../../src/jwt/parse.ts";

const encode = (text: string | Buffer) => Buffer.from(text as string).toString("base64url");
const join = (header: string | Buffer, payload: string | Buffer, signature: string | Buffer = "signature") =>
  `${encode(header)}.${encode(payload)}.${encode(signature)}`;
const reasonOf = (token: string) => {
  const parsed = parseToken(token);
  return "reason" in parsed ? parsed.reason : null;
};
const header = '{"alg":"ES256"}';
const reasonOfPayload = (payload: string | Buffer) => reasonOf(join(header, payload));

test("parseToken returns the header, the claims, the signing input and the signature", () => {
  const payload =
    '{"iss":"i","aud":["a","b"],"exp":2e9,"nbf":0.5,"roles":[{"name":"x"}],"größe":"\u{1f600}"}';
  const token = join('{"alg":"RS256","kid":"k","typ":"Application/AT+JWT","jku":"https://evil"}', payload);
  const parsed = parseToken(token);
  assert.ok(!("reason" in parsed));
  assert.deepEqual(parsed, {
    algorithm: "RS256",
    kid: "k",
    typ: "at+jwt",
    claims: JSON.parse(payload),
    signingInput: token.slice(0, token.lastIndexOf(".")),
    signature: Buffer.from("signature"),
  });
});

test("claims are deeply frozen", () => {
  const parsed = parseToken(join(header, '{"a":{"b":[{"c":1}]}}'));
  assert.ok(!("reason" in parsed));
  const a = parsed.claims["a"] as { b: { c: number }[] };
  for (const part of [parsed.claims, a, a.b, a.b[0]]) assert.ok(Object.isFrozen(part));
});

test("law 6: a text that is not three parts of base64url is rejected before any cryptography", () => {
  const [h, p, s] = [encode(header), encode("{}"), encode("signature")];
  assert.equal(reasonOf(`${h}.${p}.${s}`), null);
  const bad = [
    "",
    ".",
    "..",
    "...",
    h,
    `${h}.${p}`,
    `${h}.${p}.`,
    `.${p}.${s}`,
    `${h}..${s}`,
    `${h}.${p}.${s}.`,
  ];
  const worse = [`${h}.${p}.${s}.${s}.${s}`, ` ${h}.${p}.${s}`, `${h}.${p}.${s}\n`, `${h}.${p}.${s}=`];
  const spelled = [`${h}.${p}.${s} `, `${h}.${p}.+${s}`, `${h}.${p}./${s}`, `${h}=.${p}.${s}`, `${h}.${p}.A`];
  const wide = [`${h}.${p}.${s.slice(0, -1)}${String.fromCharCode(s.charCodeAt(s.length - 1) + 256)}`];
  for (const token of [...bad, ...worse, ...spelled, ...wide]) {
    assert.equal(reasonOf(token), "malformed", JSON.stringify(token));
  }
});

test("only one of the 16 encodings of a signature's last character is accepted", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (const bytes of [64, 32, 256]) {
    const token = join(header, "{}", Buffer.alloc(bytes, 0xa5));
    const spellings = alphabet.split("").map((last) => token.slice(0, -1) + last);
    const unused = (bytes * 8) % 6 === 2 ? 16 : 4;
    const same = spellings.filter((spelling) =>
      Buffer.from(spelling.split(".")[2] ?? "", "base64url").equals(Buffer.alloc(bytes, 0xa5)),
    );
    assert.equal(same.length, unused);
    assert.deepEqual(
      same.filter((spelling) => reasonOf(spelling) === null),
      [token],
    );
  }
});

test("every token has exactly one accepted encoding", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ maxLength: 3 }),
      fc.nat(60),
      (bytes, noise, at) => {
        const signature = encode(Buffer.from(bytes));
        const spelled = signature.slice(0, at) + noise + signature.slice(at);
        const parsed = parseToken(`${encode(header)}.${encode("{}")}.${spelled}`);
        if ("reason" in parsed) return true;
        return encode(parsed.signature) === spelled && spelled !== "";
      },
    ),
    { numRuns: 500 },
  );
});

test("parseToken never throws", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.json().map(encode),
    fc.uint8Array().map((b) => encode(Buffer.from(b))),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
      parseToken(pieces.join("."));
      parseToken(`${encode(header)}.${pieces.join(".")}`);
    }),
    { numRuns: 500 },
  );
});

test("a payload must be one JSON object in UTF-8", () => {
  for (const payload of [
    "",
    "[]",
    "null",
    "1",
    '"a"',
    "{",
    "{}{}",
    "\ufeff{}",
    "{'a':1}",
    '{"a":1,}',
    "{a:1}",
  ]) {
    assert.equal(reasonOfPayload(payload), "malformed", payload);
  }
  assert.equal(reasonOfPayload(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), "malformed");
  assert.equal(reasonOfPayload(' \r\n\t{ "a" : 1 } '), null);
});

test("a duplicate member is rejected at every depth, also when it is escaped differently", () => {
  const twice = ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"x":{"b":1,"b":2}}', '{"x":[[{"b":1,"b":2}]]}'];
  for (const payload of [...twice, '{"":1,"":2}'])
    assert.equal(reasonOfPayload(payload), "malformed", payload);
  assert.equal(reasonOf(join('{"alg":"ES256","alg":"HS256"}', "{}")), "malformed");
  const once = [
    '{"a":":","b":"{\\"a\\":1,\\"a\\":2}"}',
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    '{"a":"\\\\","b":"\\""}',
  ];
  for (const payload of once) assert.equal(reasonOfPayload(payload), null, payload);
});

test("any JSON object is accepted, and rejected once one of its members is repeated", () => {
  const object = fc
    .dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue(), { minKeys: 1, maxKeys: 5 })
    .filter((value) => !JSON.stringify(value).includes("__proto__"));
  const claim = object.map((value) => ({ ours: value }));
  fc.assert(
    fc.property(claim, fc.nat(), (value, pick) => {
      assert.equal(reasonOfPayload(JSON.stringify(value)), null);
      const names = Object.keys(value.ours);
      const name = JSON.stringify(names[pick % names.length]);
      const inner = JSON.stringify(value.ours);
      assert.equal(reasonOfPayload(`{"ours":${inner.slice(0, -1)},${name}:0}}`), "malformed");
    }),
    { numRuns: 300 },
  );
});

test("a member named __proto__ is rejected, also when it is escaped", () => {
  for (const name of ["__proto__", "\\u005f_proto__"]) {
    assert.equal(reasonOfPayload(`{"${name}":{"admin":true}}`), "malformed");
    assert.equal(reasonOfPayload(`{"a":[{"${name}":1}]}`), "malformed");
  }
});

test("half a surrogate pair is rejected in names and strings, and a whole pair is accepted", () => {
  for (const payload of ['{"sub":"\\ud800"}', '{"\\udfff":1}', '{"a":["x\\ud83dx"]}']) {
    assert.equal(reasonOfPayload(payload), "malformed", payload);
  }
  assert.equal(reasonOfPayload('{"sub":"\\ud83d\\ude00 \\\\ud800"}'), null);
});

test("nesting deeper than 32 is rejected, and no depth exhausts the stack", () => {
  const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  assert.equal(reasonOfPayload(nested(32)), null);
  assert.equal(reasonOfPayload(nested(33)), "malformed");
  assert.equal(reasonOfPayload(nested(100_000)), "malformed");
  assert.equal(reasonOfPayload(`{"a":"${"[".repeat(100)}"}`), null);
});

test("the header must name one supported algorithm, and none is not supported", () => {
  const cases: [string, string | null][] = [
    ['{"alg":"ES256"}', null],
    ["{}", "malformed"],
    ['{"alg":1}', "malformed"],
    ['{"alg":["ES256"]}', "malformed"],
    ['{"alg":"none"}', "wrong_algorithm"],
    ['{"alg":"None"}', "wrong_algorithm"],
    ['{"alg":"es256"}', "wrong_algorithm"],
    ['{"alg":"ES256K"}', "wrong_algorithm"],
    ['{"alg":"toString"}', "wrong_algorithm"],
    ['{"alg":"ES256","kid":1}', "malformed"],
    ['{"alg":"ES256","typ":["JWT"]}', "malformed"],
    ['{"alg":"ES256","crit":["exp"]}', "unknown_critical"],
    ['{"alg":"ES256","crit":[]}', "unknown_critical"],
    ['{"alg":"ES256","b64":false}', "unknown_critical"],
    ['{"alg":"ES256","jwk":{"kty":"EC"},"x5u":"https://evil","cty":"JWT"}', null],
  ];
  for (const [text, reason] of cases) assert.equal(reasonOf(join(text, "{}")), reason, text);
});

test("registered claims with a wrong type or an impossible value are rejected", () => {
  const wrong = ['{"exp":"2000000000"}', '{"exp":1e308}', '{"nbf":-1}', '{"iat":null}', '{"exp":1e400}'];
  const texts = ["iss", "sub", "jti", "sid"].flatMap((name) => [`{"${name}":1}`, `{"${name}":["a"]}`]);
  const audiences = [
    '{"scope":1}',
    '{"scope":["a",1]}',
    '{"aud":1}',
    '{"aud":["a",1]}',
    '{"aud":{}}',
    '{"aud":null}',
  ];
  for (const payload of [...wrong, ...texts, ...audiences]) {
    assert.equal(reasonOfPayload(payload), "invalid_claim", payload);
  }
  for (const payload of [
    '{"aud":[]}',
    '{"scope":["a"]}',
    '{"exp":8640000000000,"iat":0,"nbf":1.5}',
    '{"cnf":1}',
  ]) {
    assert.equal(reasonOfPayload(payload), null, payload);
  }
});

test("a header memo does not change any result, and its size is bounded", () => {
  const memo = new HeaderMemo();
  const kids = [...Array(200).keys(), 0, 199];
  for (const kid of kids) {
    const token = join(`{"alg":"ES256","kid":"${kid}"}`, "{}");
    assert.deepEqual(parseToken(token, memo), parseToken(token));
    assert.deepEqual(parseToken(token, memo), parseToken(token));
    assert.ok(memo.size <= 64);
  }
  const long = join(`{"alg":"ES256","kid":"${"k".repeat(600)}"}`, "{}");
  const before = memo.size;
  parseToken(long, memo);
  parseToken(join('{"alg":"none"}', "{}"), memo);
  assert.equal(memo.size, before);
});
