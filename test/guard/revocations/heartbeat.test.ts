import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { httpRevocations, type RevocationFeed } from "../../../src/index.ts";
import { createIssuer } from "../../../src/issuer/create-issuer.ts";
import type { Store } from "../../../src/stores/store.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { issuer as url, makeFixture, onlyIssuer, type Fixture } from "../fixture.ts";

/** A feed that can fall silent, and the log behind it. */
interface FeedSetup {
  readonly feed: RevocationFeed;
  readonly log: Store["revocations"];
  /** Subscriptions stay open and deliver nothing. */
  dropsDeliveries: boolean;
  /** Reads hang. */
  hangs: boolean;
}

const never = async () => await new Promise<never>(() => {});

function wrapFeed(feed: RevocationFeed, log: Store["revocations"]): FeedSetup {
  // A read that is under way when the reads begin to hang gets no answer either.
  const unlessHanging = async <T>(read: Promise<T>): Promise<T> => {
    const answer = await read;
    return setup.hangs ? await never() : answer;
  };
  const setup: FeedSetup = {
    feed: {
      snapshot: async () => await unlessHanging(feed.snapshot()),
      after: async (position) => await unlessHanging(feed.after(position)),
      subscribe: (listener) =>
        feed.subscribe((entries) => {
          if (!setup.dropsDeliveries) listener(entries);
        }),
    },
    log,
    dropsDeliveries: false,
    hangs: false,
  };
  return setup;
}

const feeds: Record<string, (world: Fixture, t: TestContext) => Promise<FeedSetup>> = {
  "the same process": async ({ clock }) => {
    const { revocations } = memoryStore({ clock });
    return await Promise.resolve(wrapFeed(revocations, revocations));
  },

  "an SQLite file that another process writes to": async ({ clock }, t) => {
    const folder = temporaryFolder();
    t.after(() => folder.remove());
    const file = join(folder.path, "holdfast.db");
    const [here, there] = [await sqliteStore({ file, clock }), await sqliteStore({ file, clock })];
    t.after(async () => void (await Promise.all([here.close(), there.close()])));
    return wrapFeed(here.revocations, there.revocations);
  },

  "an issuer over HTTP": async ({ clock }, t) => {
    const store = memoryStore({ clock });
    const client = { id: "api", secret: "the secret of the api and of this test" };
    const secret = "one secret of more than thirty-two bytes";
    const issuer = createIssuer({ url, audience: "any", store, secret, clients: [client], clock });
    t.after(async () => await issuer.close());
    await issuer.ready();
    const feed = httpRevocations({
      url: `${url}/auth/revocations`,
      clientId: client.id,
      clientSecret: client.secret,
      fetch: async (to, init) => {
        const isLong = new URL(to).searchParams.get("wait") !== "0";
        if (setup.hangs || (setup.dropsDeliveries && isLong)) return await never();
        return await issuer.fetch(new Request(to, init));
      },
      clock,
    });
    const setup: FeedSetup = { feed, log: store.revocations, dropsDeliveries: false, hangs: false };
    return setup;
  },
};

for (const [what, open] of Object.entries(feeds)) {
  test(`fault 8: ${what}: the next poll finds an undelivered entry, and hanging reads make the view stale`, async (t) => {
    const world = await makeFixture();
    const { clock, mint } = world;
    const setup = await open(world, t);
    const revoke = async (id: string) =>
      void (await setup.log.append({ kind: "token", id, issuer: url, until: clock.now() + 3_600_000 }));
    const guard = world.guard({
      revocations: setup.feed,
      revocationPollMs: 1_000,
      maxRevocationAgeMs: 10_000,
    });
    t.after(async () => await guard.close());
    // A real file answers in real time.
    const ask = async (id: string) => {
      await clock.advance(0);
      return await guard.validate(mint.token({ jti: id }));
    };
    /** Gives a real file time to answer, until the view is complete and has every entry. */
    const polled = async (deadlineMs: number): Promise<boolean> => {
      const { seq } = (await setup.log.snapshot()).position;
      for (const until = performance.now() + deadlineMs; performance.now() < until; await clock.advance(0)) {
        const view = onlyIssuer(guard).revocations;
        if (view?.complete === true && view.seq === seq) return true;
      }
      return false;
    };
    await guard.ready();
    setup.dropsDeliveries = true;
    await revoke("undelivered");
    assert.equal((await ask("undelivered")).status, "valid");
    await clock.advance(1_000);
    await polled(20_000);
    assert.equal((await ask("undelivered")).status, "invalid");

    setup.hangs = true;
    await revoke("unread");
    await clock.advance(9_000);
    assert.equal(onlyIssuer(guard).revocations?.complete, false);
    await clock.advance(2_000);
    const verdict = await ask("unread");
    assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
    assert.equal((await ask("undelivered")).status, "invalid");

    setup.hangs = false;
    setup.dropsDeliveries = false;
    // A read that takes longer than its deadline on the clock of the test fails, and the next poll reads again.
    for (let turn = 0; turn < 200 && !(await polled(100)); turn++) await clock.advance(1_000);
    assert.equal((await ask("unread")).status, "invalid");
    assert.equal((await ask("good")).status, "valid");
    assert.equal(onlyIssuer(guard).revocations?.complete, true);
  });
}
