import assert from "node:assert/strict";
import { test } from "node:test";
import { setUpAuthority, no, status } from "./fixture.ts";

test("a yes comes with the members of the answer, frozen, and without `active`", async (t) => {
  const setup = setUpAuthority(t);
  const claims = { sub: "alice", scope: "a b", exp: 1_893_500_000, act: { sub: "bob" } };
  setup.answer = () => Response.json({ active: true, ...claims });
  const answer = await setup.authority.ask("opaque-token-0123456789");
  assert.deepEqual(answer, { status: "yes", claims });
  assert.ok(
    answer.status === "yes" && Object.isFrozen(answer.claims) && Object.isFrozen(answer.claims["act"]),
  );
  assert.equal(setup.authority.failingMs(), null);
});

test("fault 21: a definitive no is an answer, and for the breaker a success", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = no;
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(await setup.askAndAdvance(200), { status: "no" });
  }
  const { breaker, failingMs, lastError } = setup.authority.status();
  assert.deepEqual([breaker, failingMs, lastError], ["closed", null, null]);
  assert.deepEqual(setup.events(), []);
});

const spoilt: [what: string, answer: () => Response][] = [
  ["HTML", () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } })],
  ["204", () => status(204)],
  ["an empty body", () => new Response("")],
  ["half of the JSON", () => new Response('{"active":true,"sub":"al')],
  ["no object", () => Response.json([{ active: true }])],
  ["null", () => Response.json(null)],
  ["another form", () => Response.json({ data: { active: true } })],
  ["the other kind's form", () => Response.json({ valid: true })],
  ["a string for true", () => Response.json({ active: "true" })],
  ["a string for false", () => Response.json({ active: "false" })],
  ["a number for true", () => Response.json({ active: 1 })],
  ["an expiry in words", () => Response.json({ active: true, exp: "tomorrow" })],
  ["an expiry that never comes", () => new Response('{"active":true,"exp":1e308}')],
  ["a subject that is a number", () => Response.json({ active: true, sub: 7 })],
  ["an audience that is an object", () => Response.json({ active: true, aud: {} })],
  ["scopes that are numbers", () => Response.json({ active: true, scope: [1] })],
  ["bytes that are no UTF-8", () => new Response(Buffer.from('{"active":true,"sub":"\xff"}', "latin1"))],
  [
    "nesting without end",
    () => new Response(`{"active":true,"x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`),
  ],
  ["another prototype", () => new Response('{"active":true,"x":{"__proto__":{"admin":true}}}')],
  ["10 MB", () => Response.json({ active: true, padding: "x".repeat(10_485_760) })],
  ["a redirect", () => status(302, { location: "https://id.example.com/active" })],
  ["a redirect with a body", () => Response.json({ active: true }, { status: 307 })],
  ["201 with a yes", () => Response.json({ active: true }, { status: 201 })],
];

for (const [what, answer] of spoilt) {
  test(`fault 19: ${what} is no answer: unavailable, never valid, and the token is asked about again`, async (t) => {
    const setup = setUpAuthority(t);
    setup.answer = answer;
    const outcome = await setup.authority.ask("opaque-token-0123456789");
    assert.deepEqual(outcome, { status: "unavailable", cause: "authority_unavailable", retryAfterMs: 1000 });
    assert.deepEqual(setup.events(), ["authority_failed"]);
    await setup.authority.ask("opaque-token-0123456789");
    assert.equal(setup.asked.length, 2);
  });
}
