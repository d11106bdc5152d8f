import assert from "node:assert/strict";
import { test } from "node:test";
import type { Issuer } from "../../../src/issuer/types.ts";
import { BASIC, createFixture, ISSUER_URL } from "../fixture.ts";

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;
const WRONG = basic("orders", "a secret that is wrong");

async function introspect(
  issuer: Issuer,
  source: string | undefined,
  authorization?: string,
  more: Record<string, string> = {},
): Promise<number> {
  const request = new Request(`${ISSUER_URL}/oauth/introspect`, {
    method: "POST",
    headers: authorization === undefined ? {} : { Authorization: authorization },
    body: new URLSearchParams({ token: "a", ...more }),
  });
  const response = await issuer.fetch(request, { source });
  if (response.status === 429) assert.ok(Number(response.headers.get("Retry-After")) >= 1);
  return response.status;
}

test("law 6: wrong client secrets are audited and limited by source, and never lock the client out", async () => {
  const { issuer, store, clock } = createFixture();
  const statuses: number[] = [];
  for (let i = 0; i < 200; i++) statuses.push(await introspect(issuer, "192.0.2.1", WRONG));
  assert.deepEqual(new Set(statuses.slice(0, 20)), new Set([401]));
  assert.deepEqual(new Set(statuses.slice(20)), new Set([429]));
  for (const source of ["192.0.2.1", "192.0.2.2", undefined]) {
    assert.equal(await introspect(issuer, source, BASIC), 200, source);
  }
  assert.equal(await introspect(issuer, "192.0.2.2", WRONG), 401, "another source has its own count");
  const refused = (await store.audit.recent(100)).filter(({ kind }) => kind === "client_refused");
  assert.equal(refused.length, 22);
  assert.equal(refused.at(-1)?.detail, "orders");
  assert.equal(refused.at(-1)?.source, "192.0.2.1");
  assert.equal(refused[1]?.detail, "orders, and more from this source");
  await clock.advance(15 * 60_000);
  assert.equal(await introspect(issuer, "192.0.2.1", WRONG), 401, "the window ends");
});

test("law 5: the audit event of a wrong secret holds neither the secret nor an unknown id", async () => {
  const { issuer, store } = createFixture();
  assert.equal(await introspect(issuer, "192.0.2.1", basic("a password", "hunter2 hunter2")), 401);
  const form = { client_id: "another password", client_secret: "hunter2 hunter2" };
  assert.equal(await introspect(issuer, "192.0.2.1", undefined, form), 401);
  const events = await store.audit.recent(10);
  assert.deepEqual(
    events.map(({ detail }) => detail),
    ["unknown client", "unknown client"],
  );
  assert.doesNotMatch(JSON.stringify(events), /hunter2|password/);
});

test("a request without client credentials is not an attempt", async () => {
  const { issuer, store } = createFixture();
  for (let i = 0; i < 50; i++) assert.equal(await introspect(issuer, "192.0.2.1"), 401);
  assert.deepEqual(await store.audit.recent(10), []);
});
