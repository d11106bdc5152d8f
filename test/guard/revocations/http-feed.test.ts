import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Revocation } from "../../../src/core/revocation.ts";
import { httpRevocations, type HttpRevocationsOptions } from "../../../src/guard/revocations/http-feed.ts";
import type { Fetch } from "../../../src/guard/fetch-json.ts";
import { createIssuer } from "../../../src/issuer/create-issuer.ts";
import type { Issuer } from "../../../src/issuer/types.ts";
import type { RevocationFeed } from "../../../src/stores/store.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { audience, issuer as url, makeFixture, onlyIssuer, type Fixture } from "../fixture.ts";

const credentials = { clientId: "api", clientSecret: "the secret: of 50% & more+" };

interface RemoteSetup extends Fixture {
  readonly issuer: Issuer;
  readonly feed: RevocationFeed;
  readonly requests: URL[];
  /** Replaces the issuer's response. */
  fault: Fetch | null;
}

/** A remote issuer. A guard sees its log only through the endpoint. */
async function createRemoteSetup(): Promise<RemoteSetup> {
  const world = await makeFixture();
  const { clock } = world;
  const clients = [{ id: credentials.clientId, secret: credentials.clientSecret }];
  const secret = "one secret of more than thirty-two bytes";
  const issuer = createIssuer({ url, audience, store: memoryStore({ clock }), secret, clients, clock });
  await issuer.ready();
  const requests: URL[] = [];
  const fetch: Fetch = async (to, init) => {
    requests.push(new URL(to));
    return await (setup.fault ?? (async () => await issuer.fetch(new Request(to, init))))(to, init);
  };
  const feed = httpRevocations({ ...options(clock), fetch });
  const setup: RemoteSetup = { ...world, issuer, feed, requests, fault: null };
  return setup;
}

function options(clock: FakeClock): HttpRevocationsOptions {
  return { url: `${url}/auth/revocations`, ...credentials, clock, random: () => 0.5 };
}

const unreachable: Fetch = () => {
  throw new TypeError("fetch failed");
};

describe("a guard that follows an issuer's log over HTTP", () => {
  test("law 3: a revocation takes effect at once, without a poll", async () => {
    const setup = await createRemoteSetup();
    const { clock, mint, issuer } = setup;
    await issuer.revoke({ kind: "token", id: "earlier" });
    const guard = setup.guard({ revocations: setup.feed, revocationPollMs: 60_000 });
    await guard.ready();
    await clock.advance(300);
    const [earlier, later] = [mint.token({ jti: "earlier" }), mint.token({ jti: "later" })];
    assert.equal((await guard.validate(earlier)).status, "invalid");
    assert.equal((await guard.validate(later)).status, "valid");
    for (const id of ["other", "later"]) {
      await issuer.revoke({ kind: "token", id });
      await clock.advance(0);
    }
    assert.deepEqual(await guard.validate(later), { status: "invalid", reason: "revoked" });
    await guard.close();
  });

  test("an issuer that repeats the same entries receives at most four requests a second", async () => {
    const setup = await createRemoteSetup();
    const { clock, issuer, feed, requests } = setup;
    const { position } = await feed.snapshot();
    await issuer.revoke({ kind: "token", id: "one" });
    const tail = await feed.after(position);
    setup.fault = () => Response.json(tail);
    requests.length = 0;
    const stop = feed.subscribe(() => {});
    await clock.advance(2_000);
    stop();
    assert.ok(requests.length > 2 && requests.length <= 9, `${requests.length} requests`);
  });

  test("a configured Authorization header does not replace the credentials", async () => {
    const sent: unknown[] = [];
    const fetch: Fetch = (_, { headers }) => {
      sent.push(headers);
      return new Response(null, { status: 404 });
    };
    const headers = { Authorization: "Basic other", "X-Tenant": "acme" };
    const feed = httpRevocations({ ...options(new FakeClock()), fetch, headers });
    await assert.rejects(async () => await feed.snapshot(), { code: "upstream_failed" });
    const basic = `Basic ${btoa("api:the+secret%3A+of+50%25+%26+more%2B")}`;
    assert.deepEqual(sent, [{ accept: "application/json", authorization: basic, "x-tenant": "acme" }]);
  });

  test("an idle log costs one request in five seconds, and none after the guard is closed", async () => {
    const setup = await createRemoteSetup();
    const { clock, requests } = setup;
    const guard = setup.guard({ revocations: setup.feed, revocationPollMs: 60_000 });
    await guard.ready();
    await clock.advance(50_000);
    const waited = requests.filter((request) => request.searchParams.get("wait") === "5");
    assert.ok(waited.length >= 9 && waited.length <= 11, `${waited.length} requests`);
    await guard.close();
    const requestCount = requests.length;
    await clock.advance(60_000);
    assert.equal(requests.length, requestCount);
    await setup.issuer.close();
    assert.equal(clock.pending, 0);
  });

  test("fault 7: the view grows older while the issuer is unreachable, and then catches up", async () => {
    const setup = await createRemoteSetup();
    const { clock, mint, issuer } = setup;
    const guard = setup.guard({ revocations: setup.feed, revocationPollMs: 5_000 });
    await guard.ready();
    await clock.advance(300);
    setup.fault = unreachable;
    for (let i = 0; i < 100; i++) await issuer.revoke({ kind: "token", id: `t${i}` });
    await clock.advance(40_000);
    const { ageMs = 0, complete } = onlyIssuer(guard).revocations ?? {};
    assert.ok(ageMs >= 35_000 && complete === false, `${ageMs}`);
    setup.fault = null;
    await clock.advance(5_000);
    for (let i = 0; i < 100; i++) {
      assert.equal((await guard.validate(mint.token({ jti: `t${i}` }))).status, "invalid");
    }
    await clock.advance(5_000);
    assert.ok((onlyIssuer(guard).revocations?.ageMs ?? 0) <= 5_000);
    await guard.close();
  });

  test("fault 5: another log in its place is a gap, and after a snapshot entries arrive at once again", async () => {
    const setup = await createRemoteSetup();
    const { clock, mint } = setup;
    await setup.issuer.revoke({ kind: "token", id: "before" });
    const guard = setup.guard({ revocations: setup.feed, revocationPollMs: 1_000 });
    await guard.ready();
    const other = (await createRemoteSetup()).issuer;
    setup.fault = async (to, init) => await other.fetch(new Request(to, init));
    await clock.advance(10_000);
    await other.revoke({ kind: "token", id: "after" });
    await clock.advance(0);
    for (const jti of ["before", "after"]) {
      assert.equal((await guard.validate(mint.token({ jti }))).status, "invalid", jti);
    }
    await guard.close();
  });

  test("fault 2: a snapshot may take a minute and a tail five seconds, and a later response is discarded", async () => {
    const setup = await createRemoteSetup();
    const { clock, mint, issuer } = setup;
    await issuer.revoke({ kind: "token", id: "early" });
    let slowMs = 50_000;
    setup.fault = async (to, init) => {
      const answer = await issuer.fetch(new Request(to, init));
      await new Promise<void>((resolve) => clock.after(slowMs, resolve));
      return answer;
    };
    const guard = setup.guard({ revocations: setup.feed, maxRevocationAgeMs: 70_000 });
    await clock.advance(50_000);
    assert.equal(onlyIssuer(guard).revocations?.ageMs, 50_000);
    assert.equal((await guard.validate(mint.token({ jti: "early" }))).status, "invalid");
    slowMs = 11_000;
    await issuer.revoke({ kind: "token", id: "late" });
    await clock.advance(19_000);
    assert.match(onlyIssuer(guard).revocations?.lastError ?? "", /longer than 5000 ms/);
    assert.ok((onlyIssuer(guard).revocations?.ageMs ?? 0) >= 69_000);
    assert.equal(onlyIssuer(guard).revocations?.seq, 1);
    await guard.close();
    slowMs = 61_000;
    const other = setup.guard({ revocations: setup.feed });
    await clock.advance(62_000);
    assert.match(onlyIssuer(other).revocations?.lastError ?? "", /longer than 60000 ms/);
    assert.equal(onlyIssuer(other).revocations?.entries, 0);
    await other.close();
  });

  test("an issuer that does not wait receives at most four requests a second", async () => {
    const setup = await createRemoteSetup();
    const { clock, requests, issuer } = setup;
    setup.fault = async (to, init) => {
      const withoutWait = new URL(to);
      withoutWait.searchParams.delete("wait");
      return await issuer.fetch(new Request(withoutWait, init));
    };
    const guard = setup.guard({ revocations: setup.feed, revocationPollMs: 60_000 });
    await guard.ready();
    await clock.advance(10_000);
    assert.ok(requests.length <= 45, `${requests.length} requests`);
    await guard.close();
  });
});

describe("an unusable response", () => {
  const entry = {
    seq: 1,
    chain: "c",
    at: 1,
    revocation: { kind: "token", id: "x", issuer: url, until: 9e12 },
  };
  const position = { epoch: "e", seq: 0, chain: "" };
  const answers: [what: string, answer: () => Response, message: RegExp][] = [
    ["an error", () => Response.json({}, { status: 500 }), /answered 500/],
    ["rejected credentials", () => Response.json({}, { status: 401 }), /answered 401/],
    ["a redirect", () => Response.redirect("https://evil.example/", 302), /answered 302/],
    ["an empty response", () => new Response(null, { status: 204 }), /answered 204/],
    ["HTML", () => new Response("<html>"), /is not JSON/],
    ["truncated JSON", () => new Response('{"entries":['), /is not JSON/],
    ["a response above maxBytes", () => new Response(" ".repeat(1_001)), /longer than 1000 bytes/],
    ...[
      null,
      [],
      {},
      { status: "ok" },
      { status: "ok", entries: {} },
      { status: "ok", entries: [null] },
      { position, entries: [{ ...entry, revocation: null }] },
      { position, entries: [{ ...entry, revocation: {} }] },
      { position, entries: [{ ...entry, seq: "1" }] },
      { position, entries: [{ ...entry, chain: 1 }] },
      { position, entries: [{ ...entry, at: null }] },
      { position: { ...position, seq: -1 }, entries: [] },
      { position: null, entries: [entry] },
      { position, entries: [entry], next: 1 },
      { position },
    ].map((json): [string, () => Response, RegExp] => [
      JSON.stringify(json),
      () => Response.json(json),
      /answered with a malformed (snapshot|tail)/,
    ]),
  ];
  for (const [what, answer, message] of answers) {
    test(`law 1: ${what} is a failure whose message does not contain the secret`, async () => {
      const feed = httpRevocations({ ...options(new FakeClock()), fetch: answer, maxBytes: 1_000 });
      for (const reading of [feed.snapshot(), feed.after(position)]) {
        await assert.rejects(reading, (error: Error & { code?: string }) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /50%|evil/);
          return error.code === "upstream_failed";
        });
      }
    });
  }

  test("fault 17: a body that never ends fails at the deadline", async () => {
    const clock = new FakeClock();
    const body = () => new ReadableStream({ pull: async () => await new Promise(() => {}) });
    const feed = httpRevocations({
      ...options(clock),
      fetch: () => new Response(body()),
      snapshotTimeoutMs: 700,
    });
    const reading = assert.rejects(feed.snapshot(), { code: "timeout" });
    await clock.advance(700);
    await reading;
    assert.equal(clock.pending, 0);
  });

  test("fault 11: a kind of a later version reaches the view, which then knows that it is incomplete", async () => {
    const newer = { ...entry, revocation: { ...entry.revocation, kind: "device" } };
    const fetch = () => Response.json({ position: { ...position, seq: 1 }, entries: [newer, entry] });
    const feed = httpRevocations({ ...options(new FakeClock()), fetch });
    const kinds = (await feed.snapshot()).entries.map(
      ({ revocation }): Revocation["kind"] => revocation.kind,
    );
    assert.deepEqual(kinds, ["device", "token"]);
  });
});

test("httpRevocations rejects wrong options by name, without the secret", () => {
  const right = options(new FakeClock());
  const wrong: [object, RegExp][] = [
    [{ url: "http://id.example/auth/revocations" }, /httpRevocations: url must be an https URL/],
    [{ clientId: "" }, /httpRevocations: clientId must be/],
    [{ clientSecret: undefined }, /httpRevocations: clientSecret must be/],
    [{ timeoutMs: 0 }, /httpRevocations: timeoutMs must be/],
    [{ timeoutMs: 5_001 }, /httpRevocations: timeoutMs must be/],
    [{ snapshotTimeoutMs: "1" }, /httpRevocations: snapshotTimeoutMs must be/],
    [{ maxBytes: 1.5 }, /httpRevocations: maxBytes must be/],
    [{ fetch: "x" }, /httpRevocations: fetch must be a function/],
    [{ random: 1 }, /httpRevocations: random must be a function/],
    [{ clock: {} }, /httpRevocations needs clock with now\(\)/],
    [{ pollMs: 1 }, /httpRevocations has no option "pollMs"/],
  ];
  for (const [option, message] of wrong) {
    assert.throws(
      () => httpRevocations({ ...right, ...option }),
      (error: Error) => message.test(error.message) && !error.message.includes("50%"),
    );
  }
});
