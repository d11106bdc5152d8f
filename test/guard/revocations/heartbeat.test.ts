import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { httpRevocations, type RevocationFeed } from "../../../src/index.ts";
import { createIssuer } from "../../../src/issuer/create-issuer.ts";
import type { Store } from "../../../src/stores/store.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import { temporaryFolder } from "../../stores/temporary-folder.ts";
import { issuer as url, makeWorld, own, type World } from "../fixture.ts";

/** A feed that can fall silent, and who appends to the log behind it. */
interface Line {
  readonly feed: RevocationFeed;
  readonly log: Store["revocations"];
  /** Subscribers hear nothing, although nothing is closed. */
  isDeaf: boolean;
  /** Nor is any question answered. */
  isSilent: boolean;
}

const never = async () => await new Promise<never>(() => {});

function lineOver(feed: RevocationFeed, log: Store["revocations"]): Line {
  const line: Line = {
    feed: {
      snapshot: async () => await (line.isSilent ? never() : feed.snapshot()),
      after: async (position) => await (line.isSilent ? never() : feed.after(position)),
      subscribe: (listener) =>
        feed.subscribe((entries) => {
          if (!line.isDeaf) listener(entries);
        }),
    },
    log,
    isDeaf: false,
    isSilent: false,
  };
  return line;
}

const lines: Record<string, (world: World, t: TestContext) => Promise<Line>> = {
  "the same process": async ({ clock }) => {
    const { revocations } = memoryStore({ clock });
    return await Promise.resolve(lineOver(revocations, revocations));
  },

  "an SQLite file that another process writes to": async ({ clock }, t) => {
    const folder = temporaryFolder();
    t.after(() => folder.remove());
    const file = join(folder.path, "holdfast.db");
    const [here, there] = [await sqliteStore({ file, clock }), await sqliteStore({ file, clock })];
    t.after(async () => void (await Promise.all([here.close(), there.close()])));
    return lineOver(here.revocations, there.revocations);
  },

  "an issuer over HTTP": async ({ clock }, t) => {
    const store = memoryStore({ clock });
    const client = { id: "api", secret: "the secret of the api, which nobody knows" };
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
        if (line.isSilent || (line.isDeaf && isLong)) return await never();
        return await issuer.fetch(new Request(to, init));
      },
      clock,
    });
    const line: Line = { feed, log: store.revocations, isDeaf: false, isSilent: false };
    return line;
  },
};

for (const [what, open] of Object.entries(lines)) {
  test(`fault 8: ${what}: news that is not heard comes with the next poll, and a line without a sign of life makes the view old`, async (t) => {
    const world = await makeWorld();
    const { clock, mint } = world;
    const line = await open(world, t);
    const revoke = async (id: string) =>
      void (await line.log.append({ kind: "token", id, issuer: url, until: clock.now() + 3_600_000 }));
    const guard = world.guard({
      revocations: line.feed,
      revocationPollMs: 1_000,
      maxRevocationAgeMs: 10_000,
    });
    t.after(async () => await guard.close());
    // Real files answer in their own time.
    const ask = async (id: string) => {
      await clock.advance(0);
      return await guard.validate(mint.token({ jti: id }));
    };
    const polled = async () => {
      const seq = (await line.log.snapshot()).position.seq;
      for (let turn = 0; turn < 1_000 && own(guard).revocations?.seq !== seq; turn++) await clock.advance(0);
    };
    await guard.ready();
    line.isDeaf = true;
    await revoke("unheard");
    assert.equal((await ask("unheard")).status, "valid");
    await clock.advance(1_000);
    await polled();
    assert.equal((await ask("unheard")).status, "invalid");

    line.isSilent = true;
    await revoke("unseen");
    await clock.advance(9_000);
    assert.equal(own(guard).revocations?.complete, false);
    await clock.advance(2_000);
    const verdict = await ask("unseen");
    assert.ok(verdict.status === "unavailable" && verdict.cause === "revocations_stale");
    assert.equal((await ask("unheard")).status, "invalid");

    line.isSilent = false;
    line.isDeaf = false;
    for (let turn = 0; turn < 12; turn++) {
      await clock.advance(1_000);
      await polled();
    }
    assert.equal((await ask("unseen")).status, "invalid");
    assert.equal((await ask("good")).status, "valid");
    assert.equal(own(guard).revocations?.complete, true);
  });
}
