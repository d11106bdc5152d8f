import assert from "node:assert/strict";
import { test } from "node:test";
import { shareResponses } from "../../../src/guard/request-scope/shared-responses.ts";
import { FakeClock } from "../../../src/testing/index.ts";

const url = "https://id.example/jwks";
const limits = { coolDownMs: 30_000, maxStaleMs: 86_400_000, maxBytes: 1_000 };

/** A `fetch` whose answers the test chooses, and the shared one before it. */
function setUp(answer: () => Response | Promise<Response>) {
  const clock = new FakeClock();
  const counts = { requests: 0 };
  const fetch = shareResponses(
    async () => {
      counts.requests++;
      return await answer();
    },
    limits,
    clock,
  );
  const ask = async (init: RequestInit = {}) => {
    const response = await fetch(url, { signal: new AbortController().signal, ...init });
    return [await response.text(), response.headers.get("age")];
  };
  return { clock, counts, ask };
}

test("law 7: forty requests fetch once, and each gets a response of its own", async () => {
  const arrived = Promise.withResolvers<Response>();
  const { clock, counts, ask } = setUp(async () => await arrived.promise);
  const all = Promise.all(Array.from({ length: 40 }, async () => await ask()));
  arrived.resolve(new Response('{"keys":[]}'));
  await clock.advance(100);
  assert.deepEqual(new Set((await all).map(([text]) => text)), new Set(['{"keys":[]}']));
  assert.equal(counts.requests, 1);
});

test("a request replaces the fetch of a request that ended before its response", async () => {
  const answers = [new Promise<Response>(() => {}), Promise.resolve(new Response("{}"))];
  const { clock, counts, ask } = setUp(async () => await (answers.shift() as Promise<Response>));
  void ask();
  const later = ask();
  await clock.advance(1_100);
  assert.deepEqual(await later, ["{}", null]);
  assert.equal(counts.requests, 2);
});

test("the last good answer serves through an outage with its age, and a failure is not repeated at once", async () => {
  let answer = () => new Response('{"keys":[1]}');
  const { clock, counts, ask } = setUp(() => answer());
  assert.deepEqual(await ask(), ['{"keys":[1]}', null]);
  answer = () => {
    throw new Error("down");
  };
  await clock.advance(7_200_000);
  assert.deepEqual(await ask(), ['{"keys":[1]}', "7200"]);
  assert.deepEqual(await ask(), ['{"keys":[1]}', "7200"]);
  assert.equal(counts.requests, 2);
  await clock.advance(86_400_000);
  await assert.rejects(ask(), /down/);
  await assert.rejects(ask(), { code: "upstream_failed" });
  assert.equal(counts.requests, 3);
});

test("a request for the copy of the origin fetches at most once in a cool-down", async () => {
  const { clock, counts, ask } = setUp(() => new Response("{}"));
  await ask();
  for (let i = 0; i < 5; i++) await ask({ cache: "no-store" });
  assert.equal(counts.requests, 1);
  await clock.advance(30_000);
  assert.deepEqual(await ask({ cache: "no-store" }), ["{}", null]);
  assert.equal(counts.requests, 2);
});

test("a response that is too long, or is not JSON, is never shared", async () => {
  for (const text of ["x".repeat(2_000), "no JSON"]) {
    const { ask } = setUp(() => new Response(text));
    await assert.rejects(ask());
  }
});
