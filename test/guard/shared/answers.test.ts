import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { decisionEvents } from "../../../src/core/event-channels.ts";
import type { DecisionEvent } from "../../../src/core/events.ts";
import { createFaultProxy } from "../../../src/testing/index.ts";
import { noRedis, RedisServer, waitUntil } from "../../support/redis-servers.ts";
import { minute, noAnswer } from "../degraded/fixture.ts";
import { sharedStatus, createSharedSetup, describeVerdict } from "./fixture.ts";

const kinds = ["token", "opaqueToken"] as const;
const labels = { token: "JWT", opaqueToken: "opaque token" } as const;

void describe("shared answers of an authority", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  for (const kind of kinds) {
    void test(`the first answer for one ${labels[kind]} serves all instances`, async (t) => {
      const { instance, provider, asked, written } = await createSharedSetup(t, server);
      const [one, other] = [await instance(), await instance()];
      const token = provider[kind]({ sub: "alice", scope: "read" });
      assert.equal(await describeVerdict(one, token), "valid from verification");
      await written();
      const decisions: unknown[] = [];
      const hear = (event: unknown) => {
        const { guard, from } = event as DecisionEvent;
        if (guard === t.name) decisions.push(from);
      };
      decisionEvents.subscribe(hear);
      const verdict = await other.authorize(token, { scopes: ["read"] });
      decisionEvents.unsubscribe(hear);
      assert.ok(verdict.status === "valid");
      assert.deepEqual([verdict.from, verdict.basis, verdict.subject], ["shared", "authority", "alice"]);
      assert.deepEqual(decisions, ["shared"]);
      assert.equal(await describeVerdict(other, token), "valid from memory");
      assert.equal(asked.length, 1);
      const { hits, misses, rejected, lost, lastError } = sharedStatus(other);
      assert.deepEqual([hits, misses, rejected, lost, lastError], [1, 0, 0, 0, null]);
    });

    void test(`law 2: a positive answer for one ${labels[kind]} counts from the time of the question, however often it is read`, async (t) => {
      const { instance, provider, asked, clock, written } = await createSharedSetup(t, server);
      const [one, two, three] = [await instance(), await instance(), await instance()];
      const token = provider[kind]();
      assert.equal(await describeVerdict(one, token), "valid from verification");
      await written();
      await clock.advance(4 * minute);
      assert.equal(await describeVerdict(two, token), "valid from shared");
      await written();
      await clock.advance(minute - 1000);
      assert.equal(await describeVerdict(two, token), "valid from memory");
      await clock.advance(1010);
      assert.equal(await describeVerdict(three, token), "valid from verification", "the answer has expired");
      assert.equal(
        await describeVerdict(two, token),
        "valid from verification",
        "reading did not renew the answer",
      );
      assert.equal(asked.length, 3);
    });

    void test(`law 2: one ${labels[kind]} with a shared answer is refused at its exp`, async (t) => {
      const { instance, provider, clock, written } = await createSharedSetup(t, server);
      const [one, other] = [await instance(), await instance()];
      const token = provider[kind]({ exp: clock.now() / 1000 + 60 });
      assert.equal(await describeVerdict(one, token), "valid from verification");
      await written();
      assert.equal(await describeVerdict(other, token), "valid from shared");
      await clock.advance(minute + 5_000);
      assert.equal(
        await describeVerdict(other, token),
        kind === "token" ? "invalid: expired" : "invalid: inactive",
      );
    });

    void test(`a shared answer for one ${labels[kind]} works without the authority until it expires, under every fallback policy`, async (t) => {
      const { instance, provider, clock, written } = await createSharedSetup(t, server);
      const [one, other] = [await instance(), await instance({ degraded: "cached" })];
      const token = provider[kind]();
      assert.equal(await describeVerdict(one, token), "valid from verification");
      await written();
      other.forceBreaker("open");
      const late = await instance({ degraded: "cached" });
      late.forceBreaker("open");
      assert.equal(await describeVerdict(other, token), "valid from shared");
      await clock.advance(5 * minute + 10);
      assert.equal(await describeVerdict(late, token), noAnswer, "an expired answer does not count");
    });
  }

  void test("law 3: a denial of a verified token is a revocation at every instance that reads it, and replaces a positive answer", async (t) => {
    const { instance, provider, asked, clock, written } = await createSharedSetup(t, server);
    const [one, other] = [await instance(), await instance()];
    const token = provider.token({ jti: "one" });
    assert.equal(await describeVerdict(one, token), "valid from verification");
    await written();
    provider.revoke("one");
    await clock.advance(5 * minute + 10);
    assert.equal(await describeVerdict(one, token), "invalid: revoked");
    await written();
    assert.equal(await describeVerdict(other, token), "invalid: revoked");
    assert.deepEqual([asked.length, sharedStatus(other).hits], [2, 1]);
    await server.cli("FLUSHALL");
    provider.restore();
    await clock.advance(60 * minute);
    assert.equal(await describeVerdict(other, token), "invalid: revoked", "the instance keeps the denial");
    assert.equal(asked.length, 2);
  });

  void test("law 3: a positive answer never replaces a denial, however late it is written", async (t) => {
    const { instance, provider, asked, clock, written } = await createSharedSetup(t, server);
    const [slow, quick, third] = [await instance(), await instance(), await instance()];
    const token = provider.token();
    const answered = Promise.withResolvers<void>();
    provider.fault("introspection", {
      respond: async () => {
        if (asked.length > 1) return Response.json({ active: false });
        await answered.promise;
        return Response.json({ active: true });
      },
    });
    const pending = describeVerdict(slow, token);
    await waitUntil(async () => asked.length === 1, "the first question");
    assert.equal(await describeVerdict(quick, token), "invalid: revoked");
    await written(1);
    answered.resolve();
    assert.equal(await pending, "valid from verification");
    await written();
    await clock.advance(minute);
    assert.equal(await describeVerdict(third, token), "invalid: revoked");
    assert.equal(asked.length, 2);
  });

  void test("law 3: an older shared answer does not revive a token that was denied while Redis was down", async (t) => {
    const { instance, provider, asked, clock, events, written } = await createSharedSetup(t, server);
    const proxy = await createFaultProxy({ target: server.url });
    t.after(async () => await proxy.close());
    const [one, cutOff] = [await instance(), await instance({}, { url: proxy.url, timeoutMs: minute })];
    const [token, another] = [provider.opaqueToken({ jti: "one" }), provider.opaqueToken()];
    assert.equal(await describeVerdict(one, token), "valid from verification");
    await written();
    provider.revoke("one");
    proxy.set({ kind: "refuse" });
    await waitUntil(async () => proxy.connections.open === 0, "the cut connection");
    assert.equal(await describeVerdict(cutOff, token), "invalid: inactive");
    assert.equal(sharedStatus(cutOff).skipped, 1);
    proxy.set({ kind: "pass" });
    await waitUntil(async () => {
      await clock.advance(200);
      return sharedStatus(cutOff).lastError === null;
    }, "a connection");
    await clock.advance(11_000);
    assert.equal(await describeVerdict(cutOff, token), "invalid: inactive");
    assert.equal(asked.length, 3, "the authority was asked once more");
    assert.equal(await describeVerdict(one, another), "valid from verification");
    await written(1);
    assert.equal(await describeVerdict(cutOff, another), "valid from shared", "a newer answer counts");
    assert.ok(!events().includes("shared_rejected"));
  });

  void test("a denial of an opaque token expires in Redis as early as in memory", async (t) => {
    const { instance, provider, asked, entries, prefix, written } = await createSharedSetup(t, server);
    const [one, other] = [await instance(), await instance()];
    const token = provider.opaqueToken({ jti: "one" });
    provider.revoke("one");
    assert.equal(await describeVerdict(one, token), "invalid: inactive");
    await written();
    assert.equal(await describeVerdict(other, token), "invalid: inactive");
    assert.equal(asked.length, 1);
    const [only = ""] = await entries();
    assert.ok(only.startsWith(prefix));
    const left = Number((await server.cli("PTTL", only))?.slice(1));
    assert.ok(left > 0 && left <= 10_000, String(left));
  });

  void test("malformed and forged tokens cause no request to Redis or the authority", async (t) => {
    const { instance, provider, asked, entries } = await createSharedSetup(t, server);
    const guard = await instance();
    const forged = provider.token().replace(/.{8}$/, "AAAAAAAA");
    for (const token of ["", "short", "a b c", "eyJ.e30.", forged]) {
      assert.match(await describeVerdict(guard, token), /^invalid/);
    }
    assert.deepEqual([asked.length, (await entries()).length], [0, 0]);
    assert.equal(sharedStatus(guard).misses, 0);
  });

  void test("law 5: Redis never holds a token, its digest, its subject or a claim", async (t) => {
    const { instance, provider, clock, written } = await createSharedSetup(t, server);
    const [one, other] = [await instance(), await instance()];
    const tokens = kinds.map((kind) => provider[kind]({ sub: "alice-the-subject", scope: "of:secrets" }));
    for (const token of tokens) {
      await describeVerdict(one, token);
      await written();
      assert.equal(await describeVerdict(other, token), "valid from shared");
    }
    await clock.advance(2_000);
    await waitUntil(async () => server.written().includes("ZADD"), "the list of recently used entries");
    const everything = server.written();
    for (const token of tokens) {
      const parts = [token, token.slice(0, 40), token.slice(-40), ...token.split(".")];
      const signed = token.slice(0, token.lastIndexOf("."));
      const digests = [token, signed].flatMap((text) =>
        (["base64url", "base64", "hex", "binary"] as const).map((form) => hash("sha256", text, form)),
      );
      for (const secret of [...parts, ...digests]) assert.ok(!everything.includes(secret));
    }
    for (const claim of ["alice-the-subject", "of:secrets", "api.example", "id.example"]) {
      assert.ok(!everything.includes(claim));
      assert.ok(!everything.includes(Buffer.from(claim).toString("base64url").slice(2, -2)));
    }
  });
});
