import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { LogPosition } from "../../../src/core/revocation.ts";
import type { Issuer } from "../../../src/issuer/types.ts";
import { sqliteStore } from "../../../src/stores/sqlite.ts";
import type { RevocationSnapshot, RevocationTail, SnapshotPage } from "../../../src/stores/store.ts";
import { BASIC, sendRequest, createFixture, ISSUER_URL } from "../fixture.ts";
import { failStore, wrapStore } from "../stores.ts";

async function get(issuer: Issuer, search = "", headers = { Authorization: BASIC }): Promise<Response> {
  return await sendRequest(issuer, "GET", `/auth/revocations${search}`, undefined, headers);
}

async function snapshot(issuer: Issuer): Promise<RevocationSnapshot> {
  return (await (await get(issuer)).json()) as RevocationSnapshot;
}

const query = (place: Record<string, string>) => `?${new URLSearchParams(place).toString()}`;

async function tail(issuer: Issuer, { epoch, seq, chain }: LogPosition, wait = 0): Promise<RevocationTail> {
  const response = await get(issuer, query({ after: String(seq), epoch, chain, wait: String(wait) }));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("Cache-Control"), "no-store");
  return (await response.json()) as RevocationTail;
}

const ids = ({ entries }: { entries: RevocationSnapshot["entries"] }) => entries.map((e) => e.revocation.id);
const idsOfTail = (answer: RevocationTail) => (answer.status === "ok" ? ids(answer) : answer.status);
const revoke = async (issuer: Issuer, id: string) => await issuer.revoke({ kind: "token", id });

describe("the revocation log over HTTP", () => {
  test("answers a snapshot, then the tail after its position; an unknown position is a gap", async () => {
    const { issuer, store } = createFixture();
    const empty = await snapshot(issuer);
    assert.deepEqual(empty, await store.revocations.snapshot());
    await revoke(issuer, "a");
    const { position } = await snapshot(issuer);
    await revoke(issuer, "b");
    assert.deepEqual(ids(await snapshot(issuer)), ["a", "b"]);
    assert.deepEqual(idsOfTail(await tail(issuer, empty.position)), ["a", "b"]);
    assert.deepEqual(await tail(issuer, position), await store.revocations.after(position));
    for (const place of [{ epoch: "other" }, { chain: "other" }, { seq: 9 }]) {
      assert.equal(idsOfTail(await tail(issuer, { ...position, ...place }, 5)), "gap");
    }
  });

  test("answers a snapshot in pages to a guard that asks for them, and at once to one that does not", async () => {
    const { issuer, store, clock } = createFixture();
    const until = clock.now() + 3_600_000;
    const revocations = Array.from({ length: 2_100 }, (_, i) => {
      return { kind: "token", id: `t${i}`, issuer: ISSUER_URL, until } as const;
    });
    await Promise.all(revocations.map(async (one) => await store.revocations.append(one)));
    const sizes: number[] = [];
    const all: string[] = [];
    for (let next: string | null = ""; next !== null;) {
      const page = (await (await get(issuer, query({ page: next }))).json()) as SnapshotPage;
      sizes.push(page.entries.length);
      all.push(...ids(page));
      ({ next } = page);
    }
    assert.deepEqual(sizes, [1_000, 1_000, 100]);
    const whole = await store.revocations.snapshot();
    assert.deepEqual(all, ids(whole));
    assert.deepEqual(await snapshot(issuer), whole);
    for (const page of ["x", "[]", '["another log",1,"c",1,1]']) {
      assert.equal((await get(issuer, query({ page }))).status, 400, page);
    }
    assert.equal(issuer.status().store.reachable, true, "a malformed page is no failure of the store");
  });

  test("breaks the connection when a later page of a whole snapshot cannot be read", async () => {
    const { clock, store } = createFixture();
    const until = clock.now() + 3_600_000;
    for (let i = 0; i < 1_001; i++) {
      await store.revocations.append({ kind: "token", id: `t${i}`, issuer: ISSUER_URL, until });
    }
    const failing = wrapStore(store, (name, call, [cursor]) => {
      if (name === "revocations.snapshotPage" && cursor !== null) throw new Error("the disk failed");
      return call();
    });
    const { issuer } = createFixture({ clock, store: failing });
    const response = await get(issuer);
    assert.equal(response.status, 200);
    await assert.rejects(response.text());
  });

  test("answers only services and rejects malformed positions", async () => {
    const { issuer } = createFixture();
    const wrong = { Authorization: `Basic ${Buffer.from("orders:wrong").toString("base64")}` };
    assert.equal((await get(issuer, "", wrong)).status, 401);
    for (const search of [
      "?after=",
      "?after=-1&epoch=x",
      "?after=1",
      "?after=1e3&epoch=x",
      "?after=1&epoch=x&wait=x",
    ]) {
      assert.equal((await get(issuer, search)).status, 400, search);
    }
  });

  test("law 1: an unreachable store is 503 with Retry-After, also for waiting requests", async () => {
    const { store, clock } = createFixture();
    let broken = false;
    const { issuer } = createFixture({ clock, store: failStore(store, () => broken && "before") });
    const { position } = await snapshot(issuer);
    const waiting = get(issuer, query({ after: "0", epoch: position.epoch, wait: "5" }));
    await clock.advance(0);
    broken = true;
    await clock.advance(250);
    for (const response of [await waiting, await get(issuer)]) {
      assert.equal(response.status, 503);
      assert.equal(response.headers.get("Retry-After"), "1");
    }
  });
});

describe("waiting for the next entry", () => {
  test("waiting requests get an entry of this process at once", async () => {
    const { issuer, clock } = createFixture();
    const { position } = await snapshot(issuer);
    const waiting = [tail(issuer, position, 5), tail(issuer, position, 5)];
    await clock.advance(100);
    await revoke(issuer, "a");
    for (const answer of await Promise.all(waiting)) assert.deepEqual(idsOfTail(answer), ["a"]);
  });

  test("without new entries the answer is empty after the requested time, at most five seconds", async () => {
    const { issuer, clock } = createFixture();
    const { position } = await snapshot(issuer);
    for (const [wait, seconds] of [
      [2, 2],
      [3_600, 5],
    ] as const) {
      let answered: RevocationTail | null = null;
      const waiting = tail(issuer, position, wait).then((answer) => (answered = answer));
      await clock.advance(seconds * 1000 - 1);
      assert.equal(answered, null);
      await clock.advance(250);
      assert.deepEqual(await waiting, { status: "ok", entries: [] });
    }
    await issuer.close();
    assert.equal(clock.pending, 0);
  });

  test("waiting requests get an entry of another process within a quarter of a second", async () => {
    const dir = mkdtempSync(join(tmpdir(), "holdfast-log-"));
    const { clock } = createFixture();
    const stores = [await open(), await open()] as const;
    async function open() {
      return await sqliteStore({ file: join(dir, "holdfast.db"), clock });
    }
    try {
      const [here, there] = stores.map((store) => createFixture({ clock, store }).issuer) as [Issuer, Issuer];
      const { position } = await snapshot(here);
      const waiting = tail(here, position, 5);
      await there.ready();
      await revoke(there, "a");
      await clock.advance(250);
      assert.deepEqual(idsOfTail(await waiting), ["a"]);
    } finally {
      for (const store of stores) await store.close();
      rmSync(dir, { recursive: true });
    }
  });

  test("law 6: requests at the same position share one read in a round, and excess requests do not wait", async () => {
    const { store, clock } = createFixture();
    let reads = 0;
    const counted = wrapStore(store, async (name, read) => {
      if (name === "revocations.after") reads++;
      return await read();
    });
    const { issuer } = createFixture({ clock, store: counted });
    const { position } = await snapshot(issuer);
    const waiting = Array.from({ length: 1_000 }, async () => await tail(issuer, position, 5));
    await clock.advance(1_000);
    assert.ok(reads <= 8, `${reads} reads`);
    assert.deepEqual(
      idsOfTail(await tail(issuer, position, 5)),
      [],
      "the request above the limit does not wait",
    );
    await revoke(issuer, "a");
    for (const answer of await Promise.all(waiting)) assert.deepEqual(idsOfTail(answer), ["a"]);
    let answered = false;
    const again = tail(issuer, (await snapshot(issuer)).position, 5).finally(() => (answered = true));
    await clock.advance(1_000);
    assert.equal(answered, false, "a place became free");
    await revoke(issuer, "b");
    assert.deepEqual(idsOfTail(await again), ["b"]);
  });

  test("closing the issuer or aborting the request ends the wait", async () => {
    const { issuer, clock } = createFixture();
    const { position } = await snapshot(issuer);
    const gone = new AbortController();
    const place = query({ after: "0", epoch: position.epoch, wait: "5" });
    const request = new Request(`${ISSUER_URL}/auth/revocations${place}`, {
      headers: { Authorization: BASIC },
    });
    const left = issuer.fetch(request, { signal: gone.signal });
    await clock.advance(0);
    gone.abort();
    await clock.advance(250);
    await left;
    const waiting = tail(issuer, position, 5);
    await clock.advance(0);
    await issuer.close();
    assert.deepEqual(await waiting, { status: "ok", entries: [] });
    assert.equal(clock.pending, 0);
  });
});
