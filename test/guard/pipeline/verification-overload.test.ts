import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { protect } from "../../../src/adapters/node-http.ts";
import type { Guard } from "../../../src/index.ts";
import type { Mint } from "../../../src/testing/index.ts";
import { bearer, sender } from "../../adapters/http-client.ts";
import { makeFixture } from "../fixture.ts";

/** More verifications than may run (16) and wait (4,000) at once. */
const TOO_MANY = 4_100;

/** Well-formed tokens with different claims and a wrong signature. */
function forge(mint: Mint, count: number): string[] {
  const [header = "", claims = "", signature = ""] = mint.token().split(".");
  const honest = JSON.parse(Buffer.from(claims, "base64url").toString()) as object;
  return Array.from({ length: count }, (_, n) => {
    const forged = Buffer.from(JSON.stringify({ ...honest, jti: `forged-${n}` })).toString("base64url");
    return `${header}.${forged}.${signature}`;
  });
}

async function outcomeOf(guard: Guard, token: string): Promise<string> {
  const verdict = await guard.validate(token);
  if (verdict.status === "valid") return verdict.subject;
  return verdict.status === "invalid" ? verdict.reason : verdict.cause;
}

const all = async (guard: Guard, tokens: readonly string[]) =>
  await Promise.all(tokens.map(async (token) => await outcomeOf(guard, token)));

test("law 7: 320 concurrent cold tokens, good and bad and each twice, get the same verdicts as one at a time", async (t) => {
  const { mint, guard, revoke, log } = await makeFixture();
  await revoke("session", "ended");
  const [asked, alone] = [guard({ revocations: log }), guard({ revocations: log })];
  t.after(async () => await Promise.all([asked.close(), alone.close()]));
  await Promise.all([asked.ready(), alone.ready()]);
  const forged = forge(mint, 32);
  const tokens = Array.from({ length: 32 }, (_, n) => [
    mint.token({ sub: `user-${n}` }),
    mint.token({ sub: `user-${n}`, sid: "ended" }),
    mint.token({ exp: 1 }),
    mint.token({ aud: "another" }),
    forged[n] ?? "",
  ]).flat();
  const expected: string[] = [];
  for (const token of tokens) expected.push(await outcomeOf(alone, token));
  assert.deepEqual(
    new Set(expected.slice(0, 5)),
    new Set(["user-0", "revoked", "expired", "wrong_audience", "bad_signature"]),
  );
  assert.deepEqual(await all(asked, [...tokens, ...tokens]), [...expected, ...expected]);
  assert.deepEqual(await all(asked, tokens), expected);
  assert.equal(asked.status().inFlight, 0);
});

test("law 1, law 6, fault 31: verifications beyond the bound are unavailable, and that is not cached", async (t) => {
  const { mint, guard: open } = await makeFixture();
  const guard = open();
  t.after(async () => await guard.close());
  const known = mint.token({ sub: "known" });
  await guard.validate(known);
  const forgeries = forge(mint, TOO_MANY);
  const good = Array.from({ length: 64 }, () => mint.token({ sub: "new" }));
  const flood = all(guard, forgeries);
  const crowdedOut = all(guard, good);
  assert.equal(await outcomeOf(guard, known), "known");
  assert.deepEqual(new Set(await crowdedOut), new Set(["overloaded"]));
  const found = await flood;
  assert.deepEqual(new Set(found), new Set(["bad_signature", "overloaded"]));
  assert.deepEqual(new Set(await all(guard, good)), new Set(["new"]));
  const unverified = forgeries.filter((_, n) => found[n] === "overloaded");
  assert.deepEqual(new Set(await all(guard, unverified)), new Set(["bad_signature"]));
  assert.equal(guard.status().inFlight, 0);
});

test("law 1, fault 31: under a flood of forged tokens an API answers a good token with 503 and Retry-After, and later with 200", async (t) => {
  const { mint, guard: open } = await makeFixture();
  const guard = open();
  t.after(async () => await guard.close());
  let forgeries = forge(mint, TOO_MANY);
  let flood: Promise<unknown> = Promise.resolve();
  const answer = protect(guard, {}, (_, res) => res.end("in"));
  const server = createServer((req, res) => {
    flood = all(guard, forgeries);
    answer(req, res);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const send = sender((server.address() as AddressInfo).port);
  const headers = [bearer(mint.token())];
  const refused = await send({ headers });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers["retry-after"], "1");
  assert.equal(refused.headers["www-authenticate"], undefined);
  await flood;
  forgeries = [];
  const admitted = await send({ headers });
  assert.deepEqual([admitted.status, admitted.body], [200, "in"]);
});
