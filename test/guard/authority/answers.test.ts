import assert from "node:assert/strict";
import { test } from "node:test";
import { setUpAuthority, no, status } from "./fixture.ts";

test("a yes has the members of the response, frozen, without `active`", async (t) => {
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

test("fault 21: a definitive no is an answer, and a success for the breaker", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = no;
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(await setup.askAndAdvance(200), { status: "no" });
  }
  const { breaker, failingMs, lastError } = setup.authority.status();
  assert.deepEqual([breaker, failingMs, lastError], ["closed", null, null]);
  assert.deepEqual(setup.events(), []);
});

const unusable: [what: string, answer: () => Response][] = [
  ["with HTML", () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } })],
  ["204", () => status(204)],
  ["with an empty body", () => new Response("")],
  ["with truncated JSON", () => new Response('{"active":true,"sub":"al')],
  ["with an array", () => Response.json([{ active: true }])],
  ["with null", () => Response.json(null)],
  ["in an unknown form", () => Response.json({ data: { active: true } })],
  ["in the form of the other protocol", () => Response.json({ valid: true })],
  ["with the string true", () => Response.json({ active: "true" })],
  ["with the string false", () => Response.json({ active: "false" })],
  ["with 1 for true", () => Response.json({ active: 1 })],
  ["with exp as a string", () => Response.json({ active: true, exp: "tomorrow" })],
  ["with exp out of range", () => new Response('{"active":true,"exp":1e308}')],
  ["with sub as a number", () => Response.json({ active: true, sub: 7 })],
  ["with aud as an object", () => Response.json({ active: true, aud: {} })],
  ["with numeric scopes", () => Response.json({ active: true, scope: [1] })],
  ["with invalid UTF-8", () => new Response(Buffer.from('{"active":true,"sub":"\xff"}', "latin1"))],
  [
    "with 20,000 levels of nesting",
    () => new Response(`{"active":true,"x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`),
  ],
  ["with a member __proto__", () => new Response('{"active":true,"x":{"__proto__":{"admin":true}}}')],
  ["of 10 MB", () => Response.json({ active: true, padding: "x".repeat(10_485_760) })],
  ["302", () => status(302, { location: "https://id.example.com/active" })],
  ["307 with a body", () => Response.json({ active: true }, { status: 307 })],
  ["201 with a yes", () => Response.json({ active: true }, { status: 201 })],
];

for (const [what, answer] of unusable) {
  test(`fault 19: the response ${what} makes a token unavailable, never valid, and the next call asks again`, async (t) => {
    const setup = setUpAuthority(t);
    setup.answer = answer;
    const outcome = await setup.authority.ask("opaque-token-0123456789");
    assert.deepEqual(outcome, { status: "unavailable", cause: "authority_unavailable", retryAfterMs: 1000 });
    assert.deepEqual(setup.events(), ["authority_failed"]);
    await setup.authority.ask("opaque-token-0123456789");
    assert.equal(setup.asked.length, 2);
  });
}
